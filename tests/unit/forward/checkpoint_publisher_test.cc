#include "broker/forward/checkpoint_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "audit/checkpoint.h"
#include "broker/forward/checkpoint_order.h"
#include "tests/support/eventually.h"
#include "tests/unit/forward/recording_log.h"

namespace tidewaiter::forward {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Note(int size) {
  return "example.org/log\n" + std::to_string(size) + "\nhash\n\n- signature\n";
}

// One that is whole but for its signature.
std::string Checkpoint(std::uint64_t size, char root) {
  audit::Checkpoint checkpoint{.origin = "example.org/log", .size = size};
  checkpoint.root.fill(static_cast<unsigned char>(root));
  return checkpoint.ToString() + "\n- a signature\n";
}

// What the sink of a test does, and what it was given. Thread-safe; outlives a publisher that was
// left behind.
struct SinkScript {
  std::mutex mutex;
  std::condition_variable changed;
  std::string error;   // "": none
  bool hangs = false;  // and no token interrupts it, as a file system does
  int hanging = 0;
  int failures = 0;
  std::vector<std::string> notes;
  std::optional<std::string> kept;  // from before

  void Fail(const std::string& with) {
    const std::lock_guard lock(mutex);
    error = with;
  }
  void Hang(bool on) {
    const std::lock_guard lock(mutex);
    hangs = on;
    changed.notify_all();
  }
  int Hanging() {
    const std::lock_guard lock(mutex);
    return hanging;
  }
  int Failures() {
    const std::lock_guard lock(mutex);
    return failures;
  }
  std::vector<std::string> Notes() {
    const std::lock_guard lock(mutex);
    return notes;
  }
};

class ScriptedSink final : public CheckpointSink {
 public:
  explicit ScriptedSink(std::shared_ptr<SinkScript> script) : script_(std::move(script)) {}
  [[nodiscard]] std::string Name() const override { return "the test"; }
  Result<std::optional<std::string>> Kept(const std::stop_token& /*stop*/,
                                          Deadline /*deadline*/) override {
    const std::lock_guard lock(script_->mutex);
    return script_->kept;
  }
  Result<void> Publish(const std::string& note, const std::stop_token& /*stop*/,
                       Deadline /*deadline*/) override {
    std::unique_lock lock(script_->mutex);
    ++script_->hanging;
    script_->changed.wait(lock, [this] { return !script_->hangs; });
    --script_->hanging;
    if (!script_->error.empty()) {
      ++script_->failures;
      return tidewaiter::Fail(ErrorCode::kUnavailable, script_->error);
    }
    script_->notes.push_back(note);
    return Ok();
  }

 private:
  const std::shared_ptr<SinkScript> script_;
};

class CheckpointPublisherTest : public ::testing::Test {
 protected:
  std::unique_ptr<CheckpointPublisher> Start(milliseconds retry = milliseconds(1)) {
    return CheckpointPublisher::Start(
               {.first_retry = retry, .last_retry = retry, .last_attempt = last_attempt_},
               std::make_unique<ScriptedSink>(script_), log_)
        .value();
  }

  milliseconds last_attempt_{std::chrono::seconds(20)};
  RecordingLog log_;
  const std::shared_ptr<SinkScript> script_ = std::make_shared<SinkScript>();
};

TEST_F(CheckpointPublisherTest, WhatIsOfferedIsPublished) {
  const auto publisher = Start();
  EXPECT_FALSE(publisher->Now().published_size.has_value());
  publisher->Offer(Note(5));
  EXPECT_TRUE(Eventually([&] { return publisher->Now().published_size == 5U; }));
  EXPECT_FALSE(publisher->Now().waiting_for.has_value());
  publisher->Offer(Note(9));
  EXPECT_TRUE(Eventually([&] { return publisher->Now().published_size == 9U; }));
  EXPECT_THAT(script_->Notes(), ElementsAre(Note(5), Note(9)));
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(CheckpointPublisherTest, AFailureIsTriedAgainAndToldOnce) {
  script_->Fail("away");
  const auto publisher = Start();
  publisher->Offer(Note(5));
  EXPECT_TRUE(Eventually([&] { return script_->Failures() > 3; }));
  const auto standing = publisher->Now();
  EXPECT_EQ(standing.failure.value().message, "away");
  EXPECT_TRUE(standing.waiting_for.has_value());
  script_->Fail("");
  EXPECT_TRUE(Eventually([&] { return log_.lines().size() == 2; }));
  EXPECT_FALSE(publisher->Now().failure.has_value());
  EXPECT_THAT(log_.lines(), ElementsAre("warning: publish checkpoints to the test: away",
                                        "info: publish checkpoints to the test: works again"));
}

TEST_F(CheckpointPublisherTest, OnlyTheNewestWaits) {
  script_->Hang(true);
  const auto publisher = Start();
  publisher->Offer(Note(1));
  EXPECT_TRUE(Eventually([&] { return script_->Hanging() == 1; }));
  for (int size = 2; size <= 1000; ++size) publisher->Offer(Note(size));
  script_->Hang(false);
  EXPECT_TRUE(Eventually([&] { return publisher->Now().published_size == 1000U; }));
  EXPECT_THAT(script_->Notes(), ElementsAre(Note(1), Note(1000)));
}

TEST_F(CheckpointPublisherTest, ANewerOneTakesThePlaceOfOneThatFailed) {
  script_->Fail("away");
  auto publisher = Start(std::chrono::hours(1));
  publisher->Offer(Note(1));
  EXPECT_TRUE(Eventually([&] { return script_->Failures() == 1; }));
  publisher->Offer(Note(2));
  script_->Fail("");
  publisher.reset();
  EXPECT_THAT(script_->Notes(), ElementsAre(Note(2)));
}

TEST_F(CheckpointPublisherTest, OneThatFailsDoesNotTakeThePlaceOfANewerOne) {
  script_->Hang(true);
  const auto publisher = Start();
  publisher->Offer(Note(1));
  EXPECT_TRUE(Eventually([&] { return script_->Hanging() == 1; }));
  publisher->Offer(Note(2));
  script_->Fail("away");
  script_->Hang(false);
  EXPECT_TRUE(Eventually([&] { return script_->Failures() > 0; }));
  script_->Fail("");
  EXPECT_TRUE(Eventually([&] { return publisher->Now().published_size == 2U; }));
  EXPECT_THAT(script_->Notes(), ElementsAre(Note(2)));
}

TEST_F(CheckpointPublisherTest, WhatFailedIsTriedOnceMoreAtTheEnd) {
  script_->Fail("away");
  auto publisher = Start(std::chrono::hours(1));
  publisher->Offer(Note(1));
  EXPECT_TRUE(Eventually([&] { return script_->Failures() == 1; }));
  publisher.reset();
  EXPECT_EQ(script_->Failures(), 2);
}

TEST_F(CheckpointPublisherTest, ASinkThatHangsHoldsUpNeitherOfferNorEnd) {
  last_attempt_ = milliseconds(1);
  script_->Hang(true);
  auto publisher = Start();
  publisher->Offer(Note(1));
  EXPECT_TRUE(Eventually([&] { return script_->Hanging() == 1; }));
  publisher->Offer(Note(2));
  publisher.reset();  // leaves its thread behind
  script_->Fail("away");
  script_->Hang(false);
  EXPECT_TRUE(Eventually([&] { return script_->Failures() > 0; }));
  EXPECT_TRUE(Eventually([&] { return script_.use_count() == 1; }));
  EXPECT_THAT(log_.lines(), IsEmpty());  // nobody is there to be told any more
}

TEST_F(CheckpointPublisherTest, OneThatSaysMoreStaysAndThatIsToldOnce) {
  script_->kept = Checkpoint(9, 'a');
  const auto publisher = Start();
  publisher->Offer(Checkpoint(8, 'b'));
  EXPECT_TRUE(Eventually([&] { return publisher->Now().failure.has_value(); }));
  EXPECT_EQ(publisher->Now().failure->reason, "LOG_CUT");
  EXPECT_THAT(publisher->Now().failure->message,
              HasSubstr("says that the log had 9 records, and it has 8: verify the log"));
  publisher->Offer(Checkpoint(10, 'c'));
  EXPECT_TRUE(Eventually([&] { return publisher->Now().published_size == 10U; }));
  EXPECT_THAT(script_->Notes(), ElementsAre(Checkpoint(10, 'c')));
}

TEST(MayReplace, WhatIsNotLongerAndOfTheSameLogGivesWay) {
  EXPECT_TRUE(MayReplace(Checkpoint(8, 'a'), Checkpoint(9, 'b')).has_value());
  EXPECT_TRUE(MayReplace(Checkpoint(8, 'a'), Checkpoint(8, 'a')).has_value());
  for (const char* text : {"", "a file", "origin\n9\n", "origin\n9\nx\n\n"}) {
    EXPECT_TRUE(MayReplace(text, Checkpoint(1, 'a')).has_value()) << text;
  }
}

TEST(MayReplace, WhatIsLongerOrOfAnotherLogStays) {
  for (const std::string& kept :
       {Checkpoint(9, 'a'), Checkpoint(8, 'b'), "other" + Checkpoint(1, 'a')}) {
    const auto may = MayReplace(kept, Checkpoint(8, 'a'));
    ASSERT_FALSE(may.has_value()) << kept;
    EXPECT_EQ(may.error().reason, "LOG_CUT");
  }
}

TEST(SizeInCheckpoint, IsItsSecondLine) {
  EXPECT_EQ(SizeInCheckpoint(Note(17)), 17U);
  EXPECT_EQ(SizeInCheckpoint("origin\n0"), 0U);
  for (const char* text :
       {"", "origin", "origin\n", "origin\nx\n", "origin\n1 2\n", "origin\n-1\n"}) {
    EXPECT_EQ(SizeInCheckpoint(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tidewaiter::forward
