// A log that is followed, on its way to whoever has its beginning.
#include "broker/run/log_intake.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/fake_observer.h"

namespace tidewaiter::run {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::Eventually;

// Its log comes as the test says.
class FollowedContainer final : public Container {
 public:
  bool Say(std::string_view text) {
    return sink_->Write(OutputStream::kStdout, std::as_bytes(std::span(text)));
  }
  void End(std::optional<Error> error = std::nullopt) { ended_.Set(std::move(error)); }
  [[nodiscard]] const LogPosition& position() const { return position_; }
  [[nodiscard]] bool followed() const { return sink_ != nullptr; }
  [[nodiscard]] int resumed() const { return resumed_; }

  [[nodiscard]] const std::string& id() const override { return id_; }
  Result<std::unique_ptr<Attachment>> Attach(OutputSink& /*sink*/, bool /*with_stdin*/,
                                             const Patience& /*patience*/) override {
    return Fail(ErrorCode::kInternal, "attach: not here");
  }
  Result<void> Start(const Patience& /*patience*/) override { return Ok(); }
  Completion<ContainerExit>& exited() override { return exited_; }
  Result<bool> Signal(int /*number*/, const Patience& /*patience*/) override { return false; }
  bool EndIsWithheld(const Patience& /*patience*/) override { return false; }
  bool StreamsCutOff() override { return false; }
  [[nodiscard]] bool FollowsLog() const override { return true; }
  std::unique_ptr<Attachment> FollowLog(const LogPosition& position, OutputSink& sink) override {
    position_ = position;
    sink_ = &sink;
    sink.SetResume([this] { ++resumed_; });
    return std::make_unique<Following>(*this);
  }

 private:
  class Following final : public Attachment {
   public:
    explicit Following(FollowedContainer& container) : container_(container) {}
    ~Following() override {
      container_.sink_->SetResume({});
      container_.sink_ = nullptr;
    }
    Completion<std::optional<Error>>& ended() override { return container_.ended_; }
    std::size_t WriteStdin(std::span<const std::byte> data) override { return data.size(); }
    void SetOnStdinRoom(std::function<void()> /*on_room*/) override {}
    void CloseStdin() override {}

   private:
    FollowedContainer& container_;
  };

  const std::string id_ = "c";
  Completion<ContainerExit> exited_;
  Completion<std::optional<Error>> ended_;
  LogPosition position_;
  OutputSink* sink_ = nullptr;
  std::atomic<int> resumed_ = 0;
};

class FollowedLog : public ::testing::Test {
 protected:
  LogIntake& Open(std::uint64_t has, std::int64_t limit, milliseconds stall = minutes(1)) {
    return intake_.emplace(
        container_, sink_,
        LogPosition{.stdout_bytes = has, .stderr_bytes = 0, .stdout_digest = "d"}, limit, stall);
  }

  FollowedContainer container_;
  testing::FakeObserver sink_;
  std::optional<LogIntake> intake_;  // goes first
};

TEST_F(FollowedLog, IsNeverReadAndComesByItself) {
  LogIntake& intake = Open(3, 100);
  EXPECT_EQ(container_.position(),
            (LogPosition{.stdout_bytes = 3, .stderr_bytes = 0, .stdout_digest = "d"}));
  EXPECT_TRUE(intake.NextRead().never());
  EXPECT_TRUE(container_.Say("more"));
  EXPECT_EQ(sink_.output(), "more");
  container_.End();
  EXPECT_TRUE(intake.ReadRest({}).has_value());
  EXPECT_FALSE(intake.Full());
}

TEST_F(FollowedLog, RestIsWaitedFor) {
  LogIntake& intake = Open(0, 100);
  const std::jthread engine([this] {
    std::this_thread::sleep_for(milliseconds(50));
    container_.Say("the rest");
    container_.End();
  });
  EXPECT_TRUE(intake.ReadRest({}).has_value());
  EXPECT_EQ(sink_.output(), "the rest");
}

TEST_F(FollowedLog, LimitIsOfTheWholeOutput) {
  LogIntake& intake = Open(3, 5);
  container_.Say("1234");
  EXPECT_EQ(sink_.output(), "12");
  EXPECT_EQ(intake.dropped_over_limit(), 2);
  EXPECT_TRUE(intake.Full());
}

TEST_F(FollowedLog, ErrorIsTheLogs) {
  LogIntake& intake = Open(0, 100);
  container_.End(Fail(ErrorCode::kUnavailable, "follow it: rotated", "LOG_INCOMPLETE"));
  const auto read = intake.ReadRest({});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().Reason(), "LOG_INCOMPLETE");
}

TEST_F(FollowedLog, EngineThatSaysNothingMoreHoldsNobodyUp) {
  const auto read = Open(0, 100, milliseconds(30)).ReadRest({});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(FollowedLog, SinkThatTakesNothingMoreHoldsNobodyUp) {
  LogIntake& intake = Open(0, 100, milliseconds(30));
  sink_.StopReading();
  EXPECT_FALSE(container_.Say("one"));
  const std::jthread engine([this] {
    // As an engine whose stream is held up until then.
    EXPECT_TRUE(Eventually([this] { return container_.resumed() > 0; }));
    EXPECT_TRUE(container_.Say("two"));
    container_.End();
  });
  EXPECT_TRUE(intake.ReadRest({}).has_value());
  EXPECT_EQ(sink_.output(), "one");
  EXPECT_EQ(intake.dropped_unread(), 3);
}

TEST_F(FollowedLog, StopEndsTheWaitForTheRest) {
  std::stop_source stop;
  stop.request_stop();
  const auto read = Open(0, 100).ReadRest(stop.get_token());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCancelled);
}

TEST_F(FollowedLog, NothingComesOnceItIsClosed) {
  LogIntake& intake = Open(0, 100);
  ASSERT_TRUE(container_.followed());
  intake.Close();
  EXPECT_FALSE(container_.followed());
}

TEST_F(FollowedLog, CannotBeReadWhereItIsFollowed) {
  LogPosition position;
  const auto read =
      container_.ReadLog(position, [](OutputStream, std::span<const std::byte>) { return true; },
                         {.stop = {}, .deadline = Deadline::Never()});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kUnimplemented);
}

}  // namespace
}  // namespace tidewaiter::run
