#include "audit/tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class TailTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = Log::Open({.directory = folder_.path(),
                          .broker_id = "b",
                          .first_retry = milliseconds(1),
                          .store = testing::AuditStore()},
                         files_);
    ASSERT_TRUE(log.has_value());
    log_ = *std::move(log);
  }
  ~TailTest() override { files_.Release(); }

  void Append(const std::string& run_id) {
    Record record;
    record.type = RecordType::kRunDenied;
    record.run_id = run_id;
    static_cast<void>(log_->Append(record, Deadline::After(seconds(20))));
  }
  static std::optional<std::string> Next(Tail& tail, milliseconds wait = seconds(20)) {
    auto line = tail.Next({}, Deadline::After(wait));
    if (!line) ADD_FAILURE() << line.error().message;
    if (!line || !*line) return std::nullopt;
    return (*line)->line;
  }

  ScratchFolder folder_;
  FaultyFiles files_;
  std::unique_ptr<Log> log_;
};

TEST_F(TailTest, BeginsWithWhatIsThereWhereAskedTo) {
  Append("a");
  auto tail = Tail::Open(*log_, {}, 0);
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"a")"));
}

TEST_F(TailTest, GivesOnlyNewRecordsOtherwise) {
  Append("a");
  auto tail = Tail::Open(*log_, {}, log_->End().next_index);
  Append("b");
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"b")"));
}

TEST_F(TailTest, WakesWhenARecordBecomesDurable) {
  auto tail = Tail::Open(*log_, {}, log_->End().next_index);
  std::jthread writer([this] { Append("a"); });
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"a")"));
}

TEST_F(TailTest, NeverShowsARecordThatIsNotDurable) {
  auto tail = Tail::Open(*log_, {}, 0);
  files_.Hang();
  std::jthread writer([this] { Append("a"); });
  files_.AwaitHanging();
  EXPECT_EQ(Next(*tail, milliseconds(20)), std::nullopt);
  files_.Release();
  EXPECT_NE(Next(*tail), std::nullopt);
}

TEST_F(TailTest, PassesOverWhatDoesNotMatch) {
  auto tail = Tail::Open(*log_, {.run_id = "b"}, 0);
  Append("a");
  Append("b");
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"b")"));
}

TEST_F(TailTest, EndsWhenItsTokenIsStopped) {
  auto tail = Tail::Open(*log_, {}, log_->End().next_index);
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(tail->Next(stop.get_token(), Deadline::Never()).value().has_value());
}

TEST_F(TailTest, FollowsIntoAFileThatReplacedTheLog) {
  Append("a");
  auto tail = Tail::Open(*log_, {.type = "run.denied"}, 0);
  ASSERT_NE(Next(*tail), std::nullopt);
  Append("b");
  std::filesystem::remove(folder_.File(testing::FirstSegment()));
  Append("refused");
  Append("c");
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"b")"));
  EXPECT_THAT(Next(*tail).value_or(""), HasSubstr(R"("run_id":"c")"));
}

}  // namespace
}  // namespace tidewaiter::audit
