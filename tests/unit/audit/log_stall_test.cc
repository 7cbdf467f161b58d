// What is known of a disk that hangs, while nobody can be told by it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/faulty_log.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogStallTest : public FaultyLog {
 protected:
  // Once the writer is in the call: what it told before of slow ones is over.
  void ExpectStall() {
    files_.AwaitHanging();
    ASSERT_TRUE(IsTold(false));
    const auto failure = log_->Failure();
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->code, ErrorCode::kUnavailable);
    EXPECT_EQ(failure->Reason(), "AUDIT_UNAVAILABLE");
    EXPECT_THAT(failure->message, HasSubstr("the disk has not answered for "));
  }
};

TEST_F(LogStallTest, ADiskThatDoesNotAnswerIsAFailureUntilItDoesEachTime) {
  settings_.stall = milliseconds(1);
  Open();
  for (const char* id : {"a", "b", "c"}) {
    files_.Hang();
    AppendEventually(id);
    ExpectStall();
    files_.Release();
    EXPECT_TRUE(IsTold(true));
    Drain();
  }
}

TEST_F(LogStallTest, SoIsOneThatHangsWhileTheNextSegmentIsMade) {
  settings_.stall = milliseconds(1);
  settings_.store.segment_bytes = 1;
  settings_.store.checkpoint_records = 1;
  Open();
  AppendEventually("a", [this] { files_.Hang(); });  // behind its sync
  ExpectStall();
  EXPECT_THAT(Lines(), ElementsAre("run.finished a"));
  files_.Release();
  EXPECT_TRUE(IsTold(true));
}

TEST_F(LogStallTest, OneThatMayStillAnswerIsNone) {
  settings_.stall = hours(1);
  Open();
  files_.Hang();
  AppendEventually("a");
  files_.AwaitHanging();
  EXPECT_FALSE(log_->Failure().has_value());
  files_.Release();
}

}  // namespace
}  // namespace tidewaiter::audit
