// What the log does with the disk that it has allocated beforehand, once there is no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/faulty_log.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LogReserveTest : public FaultyLog {
 protected:
  // Until the step that is allocated ahead is used up, the log needs nothing of a full disk.
  void FillDisk() {
    files_.allocate_error = ENOSPC;
    int admitted = 0;
    while (Append("early").has_value()) ASSERT_LT(++admitted, 1000);
  }
  // Those that came once the disk was full.
  [[nodiscard]] std::vector<std::string> LateLines() const {
    std::vector<std::string> lines = Lines();
    std::erase(lines, "run.admitted early");
    return lines;
  }
};

TEST_F(LogReserveTest, WithoutAFullReserveAdmissionsAreRefusedAtOnceWithTheCause) {
  Open();
  FillDisk();
  const auto refused = Append("refused");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << "not in doubt";
  EXPECT_EQ(refused.error().Reason(), "AUDIT_UNAVAILABLE");
  EXPECT_EQ(refused.error().message,
            "write audit record 'run.admitted': write audit log '00000000000000000000.jsonl': "
            "reserve disk space: No space left on device; what is left is kept for the ends of "
            "runs");
  EXPECT_THAT(log_->Failure()->message, HasSubstr("No space left on device"));
  EXPECT_TRUE(IsTold(false));
  EXPECT_THAT(LateLines(), SizeIs(0));
}

// Longer than a batch, with what tells of the gap before it.
TEST_F(LogReserveTest, ARecordOfAnyLengthIsRefusedAtOnceAndHoldsNothingUp) {
  Open();
  FillDisk();
  Record record;
  record.type = RecordType::kRunAdmitted;
  record.effective.emplace().command.assign(10'000, std::string(60, 'x'));
  const auto refused = log_->Append(record, Deadline::After(std::chrono::seconds(20)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("what is left is kept"));
  record.type = RecordType::kRunFinished;
  record.run_id = "long";
  log_->AppendEventually(record);
  AppendEventually("a");
  Drain();
  EXPECT_THAT(LateLines(), ElementsAre("run.finished long", "run.finished a"));
}

TEST_F(LogReserveTest, WhatMakesRoomIsWrittenIntoIt) {
  Open();
  FillDisk();
  Record record;
  record.type = RecordType::kAuditRemoved;
  const auto index = log_->AppendToMakeRoom(record, Deadline::After(std::chrono::seconds(20)));
  ASSERT_TRUE(index.has_value()) << index.error().message;
  EXPECT_EQ(*index + 1, log_->End().next_index);
  ASSERT_FALSE(Append("refused").has_value());
}

TEST_F(LogReserveTest, WhatNobodyWaitsForIsWrittenIntoItInOrderAndWithoutAGapEach) {
  Open();
  FillDisk();
  for (const char* id : {"1", "2", "3"}) {
    AppendEventually(id);
    ASSERT_FALSE(Append("refused").has_value());
  }
  Drain();
  EXPECT_THAT(LateLines(), ElementsAre("run.finished 1", "run.finished 2", "run.finished 3"));
  EXPECT_TRUE(log_->Failure().has_value());
}

TEST_F(LogReserveTest, WhatIsWrittenIntoItWaitsForNoRetry) {
  settings_.first_retry = hours(1);
  Open();
  FillDisk();
  AppendEventually("a");
  Drain();
  EXPECT_THAT(LateLines(), ElementsAre("run.finished a"));
}

TEST_F(LogReserveTest, OnceItIsFullAgainTheGapTellsHowManyWereRefused) {
  Open();
  FillDisk();
  ASSERT_FALSE(Append("refused").has_value());
  AppendEventually("a");
  Drain();
  const std::uint64_t end = log_->End().next_index;
  files_.allocate_error = 0;
  ASSERT_TRUE(log_->WaitBeyond(end, {}, Deadline::After(std::chrono::seconds(20)))) << "by itself";
  EXPECT_TRUE(IsTold(true));
  EXPECT_FALSE(log_->Failure().has_value());
  ASSERT_TRUE(Append("b").has_value());
  EXPECT_THAT(LateLines(), ElementsAre("run.finished a", "audit.gap ", "run.admitted b"));
  const auto gap = Records()[end];
  EXPECT_EQ(gap["log"]["refused_records"], 2);
  EXPECT_THAT(gap["log"]["cause"].get<std::string>(), HasSubstr("No space left on device"));
}

TEST_F(LogReserveTest, WhoClosesTellsTheGapInTheReserve) {
  Open();
  FillDisk();
  AppendEventually("a");
  Drain();
  log_.reset();
  EXPECT_THAT(LateLines(), ElementsAre("run.finished a", "audit.gap "));
  EXPECT_EQ(Records().back()["log"]["refused_records"], 1);
}

TEST_F(LogReserveTest, WhereItIsUsedUpRecordsWaitInMemory) {
  Open();
  FillDisk();
  files_.write_error = ENOSPC;
  ASSERT_FALSE(Append("refused").has_value());
  for (const char* id : {"1", "2"}) AppendEventually(id);
  EXPECT_FALSE(log_->Drain(Deadline::After({})).has_value());
  EXPECT_THAT(LateLines(), SizeIs(0));
  files_.write_error = 0;
  Drain();
  EXPECT_THAT(LateLines(), ElementsAre("run.finished 1", "run.finished 2"));
  EXPECT_FALSE(Append("refused").has_value()) << "the disk is full all the same";
}

TEST_F(LogReserveTest, WhatAFailedWriteGaveAwayIsAllocatedAnew) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  const int before = files_.allocations;
  files_.sync_error = EIO;
  ASSERT_FALSE(Append("b").has_value());
  files_.sync_error = 0;
  ASSERT_TRUE(Append("c").has_value());
  EXPECT_GT(files_.allocations, before);
}

TEST_F(LogReserveTest, AStartWithoutOneSucceedsAndAdmitsNothing) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  log_.reset();
  files_.allocate_error = EDQUOT;
  AppendText(folder_.File(testing::FirstSegment()), "{\"boot_id\":\"to");
  Open();
  EXPECT_TRUE(IsTold(false));
  EXPECT_THAT(Append("b").error().message, HasSubstr("Disk quota exceeded"));
  AppendEventually("a");
  Drain();
  EXPECT_THAT(Lines(), ElementsAre("run.admitted a", "audit.truncated ", "run.finished a"));
}

TEST_F(LogReserveTest, AStartWithoutOneIsAFailureBeforeAnyoneAsks) {
  settings_.first_retry = hours(1);
  files_.allocate_error = ENOSPC;
  Open();
  EXPECT_TRUE(log_->Failure().has_value());
  EXPECT_TRUE(IsTold(false));
}

TEST_F(LogReserveTest, AFileSystemThatCannotReserveIsWrittenWithoutOne) {
  files_.allocate_error = EOPNOTSUPP;
  Open();
  EXPECT_FALSE(log_->can_reserve());
  EXPECT_TRUE(Append("a").has_value());
  EXPECT_FALSE(log_->Failure().has_value());
}

}  // namespace
}  // namespace tidewaiter::audit
