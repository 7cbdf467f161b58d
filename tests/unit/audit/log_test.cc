#include "audit/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { files_.Release(); }

  void Open() {
    LogSettings settings = settings_;
    settings.directory = folder_.path();
    settings.broker_id = "broker";
    auto log = Log::Open(settings, files_);
    ASSERT_TRUE(log.has_value()) << log.error().message;
    log_ = *std::move(log);
  }

  static Record Of(RecordType type, const std::string& run_id) {
    Record record;
    record.type = type;
    record.run_id = run_id;
    return record;
  }
  Result<std::uint64_t> Append(const std::string& run_id, milliseconds wait = seconds(20)) {
    return log_->Append(Of(RecordType::kRunAdmitted, run_id), Deadline::After(wait));
  }
  void AppendEventually(const std::string& run_id, std::function<void()> on_durable = {}) {
    log_->AppendEventually(Of(RecordType::kRunFinished, run_id), std::move(on_durable));
  }
  void AppendStarted(const std::string& run_id) {
    log_->AppendEventually(Of(RecordType::kRunStarted, run_id));
  }
  // Of runs whose admission came after `mark`; an empty answer where it is refused.
  std::map<std::string, Log::Standing> Recall(const std::vector<std::string>& runs,
                                              const std::string& mark = "") {
    std::map<std::string, std::string> asked;
    for (const std::string& run : runs) asked.emplace(run, mark.empty() ? log_->Mark() : mark);
    const auto standings = log_->Recall(asked);
    return standings ? *standings : std::map<std::string, Log::Standing>();
  }
  void Drain() { ASSERT_TRUE(log_->Drain(Deadline::After(seconds(20))).has_value()); }

  // As who begins a new log does.
  void MoveAway() const {
    std::filesystem::create_directory(folder_.File("old"), folder_.path());
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (!entry.is_regular_file()) continue;
      std::filesystem::rename(entry.path(),
                              folder_.path() + "/old/" + entry.path().filename().string());
    }
  }

  std::vector<nlohmann::json> Records() const {
    std::vector<nlohmann::json> records;
    for (const std::string& line : ReadLog(folder_.path())) {
      records.push_back(nlohmann::json::parse(line));
    }
    return records;
  }
  // "type run_id" of every record.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const auto& record : Records()) {
      lines.push_back(record["type"].get<std::string>() + ' ' + record.value("run_id", ""));
    }
    return lines;
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.File(testing::FirstSegment());
  LogSettings settings_{.first_retry = milliseconds(1),
                        .last_retry = milliseconds(5),
                        .store = testing::AuditStore()};
  FaultyFiles files_;
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, ARecordIsInTheFileWhenAppendReturns) {
  Open();
  ASSERT_EQ(Append("a").value(), 0U);
  EXPECT_THAT(Lines(), ElementsAre("run.admitted a"));
  EXPECT_GE(files_.syncs, 1);
}

TEST_F(LogTest, RecordsHaveThisBootAndThisBroker) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  EXPECT_EQ(Records()[0]["broker_id"], "broker");
  EXPECT_THAT(Records()[0]["boot_id"].get<std::string>(), SizeIs(36));
}

TEST_F(LogTest, TheIndexGoesOnAfterARestart) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  log_.reset();
  Open();
  EXPECT_EQ(Append("b").value(), 1U);
}

TEST_F(LogTest, ATornEndIsCutAndTheCutIsRecorded) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  log_.reset();
  AppendText(path_, "{\"boot_id\":\"to");
  Open();
  ASSERT_TRUE(Append("b").has_value());
  EXPECT_THAT(Lines(), ElementsAre("run.admitted a", "audit.truncated ", "run.admitted b"));
  EXPECT_EQ(Records()[1]["log"]["cut_bytes"], 14);
}

TEST_F(LogTest, ManyWritersGetEachTheirOwnIndexInOrder) {
  Open();
  constexpr int kThreads = 16;
  constexpr int kEach = 50;
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < kThreads; ++i) {
      writers.emplace_back([this, i] {
        for (int n = 0; n < kEach; ++n) {
          const std::string id = std::to_string(i) + '-' + std::to_string(n);
          const auto index = Append(id);
          ASSERT_TRUE(index.has_value());
        }
      });
    }
  }
  const auto records = Records();
  ASSERT_THAT(records, SizeIs(kThreads * kEach));
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i]["index"], i);
}

TEST_F(LogTest, RecordsThatWaitTogetherShareOneSync) {
  Open();
  files_.Hang();
  AppendEventually("first");
  files_.AwaitHanging();
  for (int i = 0; i < 100; ++i) AppendEventually(std::to_string(i));
  files_.Release();
  Drain();
  EXPECT_THAT(Records(), SizeIs(101));
  EXPECT_EQ(files_.syncs, 2);
}

TEST_F(LogTest, OnDurableIsCalledWhenTheRecordIsInTheFile) {
  Open();
  Completion<std::size_t> lines;
  AppendEventually("a", [&] { lines.Set(ReadLines(path_).size()); });
  EXPECT_EQ(lines.Wait({}, Deadline::After(seconds(20))), 1U);
}

TEST_F(LogTest, AFullDiskRefusesAtOnceAndSaysWhy) {
  Open();
  files_.write_error = ENOSPC;
  const auto refused = Append("a");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().Reason(), "AUDIT_UNAVAILABLE");
  EXPECT_THAT(refused.error().message, HasSubstr("No space left on device"));
  EXPECT_TRUE(log_->Failure().has_value());
}

TEST_F(LogTest, ItRecoversByItselfAndRecordsTheGap) {
  Open();
  files_.write_error = ENOSPC;
  ASSERT_FALSE(Append("refused").has_value());
  AppendEventually("held");
  files_.write_error = 0;
  Drain();
  EXPECT_THAT(Lines(), ElementsAre("audit.gap ", "run.finished held"));
  EXPECT_EQ(Records()[0]["log"]["refused_records"], 1);
  EXPECT_THAT(Records()[0]["log"]["cause"].get<std::string>(), HasSubstr("No space left"));
  EXPECT_FALSE(log_->Failure().has_value());
}

TEST_F(LogTest, ItRecoversWithoutAnyoneAsking) {
  Open();
  files_.write_error = EIO;
  ASSERT_FALSE(Append("refused").has_value());
  files_.write_error = 0;
  ASSERT_TRUE(log_->WaitBeyond(0, {}, Deadline::After(seconds(20))));
  EXPECT_FALSE(log_->Failure().has_value());
}

TEST_F(LogTest, HeldRecordsKeepTheirOrder) {
  Open();
  files_.write_error = EROFS;
  for (const char* id : {"1", "2", "3"}) AppendEventually(id);
  ASSERT_FALSE(Append("refused").has_value());
  for (const char* id : {"4", "5"}) AppendEventually(id);
  files_.write_error = 0;
  AppendEventually("6");
  Drain();
  ASSERT_TRUE(Append("7").has_value());
  auto lines = Lines();
  std::erase(lines, "audit.gap ");
  EXPECT_THAT(lines,
              ElementsAre("run.finished 1", "run.finished 2", "run.finished 3", "run.finished 4",
                          "run.finished 5", "run.finished 6", "run.admitted 7"));
}

TEST_F(LogTest, AFailedSyncIsNeverBelieved) {
  Open();
  files_.sync_error = EIO;
  const auto refused = Append("a");
  ASSERT_FALSE(refused.has_value());
  // The line could come back after a power failure: the caller is told that it is in doubt.
  EXPECT_EQ(refused.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(ReadText(path_), "");
}

TEST_F(LogTest, RecallIsRefusedWhileAFailedWriteMayComeBack) {
  Open();
  files_.sync_error = EIO;
  ASSERT_FALSE(Append("a").has_value());
  EXPECT_EQ(log_->Recall({{"a", ""}}).error().code, ErrorCode::kUnavailable);
  files_.sync_error = 0;
  AppendEventually("b");
  Drain();
  EXPECT_FALSE(Recall({"a"}).at("a").admitted);
}

TEST_F(LogTest, AHungDiskReleasesTheCallerAtItsDeadlineInDoubt) {
  Open();
  files_.Hang();
  const auto refused = Append("a", milliseconds(50));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(refused.error().Reason(), "AUDIT_UNAVAILABLE");
  files_.Release();
  Drain();
  EXPECT_TRUE(Recall({"a"}).at("a").admitted);
}

TEST_F(LogTest, RecallLeavesOutTheRunWhoseRecordIsBeingWrittenAndNoOther) {
  Open();
  ASSERT_TRUE(Append("known").has_value());
  files_.Hang();
  ASSERT_FALSE(Append("late", milliseconds(50)).has_value());
  const auto standings = Recall({"late", "known"});
  EXPECT_FALSE(standings.contains("late"));
  EXPECT_TRUE(standings.at("known").admitted);
  files_.Release();
}

TEST_F(LogTest, ARecordThatStillWaitedAtItsDeadlineNeverArrives) {
  Open();
  files_.Hang();
  AppendEventually("first");
  files_.AwaitHanging();
  const auto refused = Append("late", milliseconds(50));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  files_.Release();
  Drain();
  EXPECT_THAT(Lines(), ElementsAre("run.finished first", "audit.gap "));
  EXPECT_EQ(Records()[1]["log"]["refused_records"], 1);
  EXPECT_FALSE(Recall({"late"}).at("late").admitted);
}

TEST_F(LogTest, TooManyWaitersAreRefused) {
  settings_.max_waiting = 1;
  Open();
  files_.Hang();
  std::jthread first([this] { static_cast<void>(Append("first")); });
  files_.AwaitHanging();
  EXPECT_THAT(Append("second").error().message, HasSubstr("too many records"));
  files_.Release();
}

TEST_F(LogTest, LaterRecordsAreLostAndCountedWhereTooManyWait) {
  settings_.max_eventual = 2;
  Open();
  files_.Hang();
  for (const char* id : {"1", "2", "3", "4"}) AppendStarted(id);
  files_.Release();
  Drain();
  AppendStarted("5");
  Drain();
  int lost = 0;
  std::vector<std::string> written;
  for (const auto& record : Records()) {
    if (record["type"] == "audit.gap") lost += record["log"]["lost_records"].get<int>();
    if (record["type"] == "run.started") written.push_back(record["run_id"]);
  }
  EXPECT_THAT(written, ElementsAre("1", "2", "5"));
  EXPECT_EQ(lost, 2);
}

TEST_F(LogTest, ThereIsRoomForTheEndOfARunWhereThereIsNoneForAnythingElse) {
  settings_.max_eventual = 2;
  Open();
  files_.Hang();
  AppendStarted("1");
  files_.AwaitHanging();
  for (const char* id : {"2", "3"}) AppendStarted(id);
  for (const char* id : {"1", "2", "3"}) AppendEventually(id);
  files_.Release();
  Drain();
  EXPECT_THAT(Lines(), ElementsAre("run.started 1", "audit.gap ", "run.started 2", "run.finished 1",
                                   "run.finished 2"));
  EXPECT_EQ(Records()[1]["log"]["lost_records"], 2);
}

TEST_F(LogTest, ADeletedLogStopsOneAdmissionThenGoesOnInANewFile) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  std::filesystem::remove(path_);
  const auto refused = Append("b");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("deleted or moved away"));
  ASSERT_TRUE(Append("c").has_value());
  EXPECT_THAT(Lines(), ElementsAre("audit.gap ", "run.admitted c"));
  EXPECT_TRUE(std::filesystem::exists(folder_.File(SegmentFileName(1, kLinesSuffix))));
  EXPECT_EQ(Records()[0]["index"], 1) << "the missing index shows what is gone";
}

TEST_F(LogTest, AForeignFileInItsPlaceIsNotWrittenTo) {
  Open();
  std::filesystem::remove(path_);
  AppendText(path_, "not a log\n");
  std::filesystem::permissions(path_, std::filesystem::perms(0600));
  ASSERT_FALSE(Append("a").has_value());
  EXPECT_THAT(Append("b").error().message, HasSubstr("not of this log"));
  EXPECT_EQ(ReadText(path_), "not a log\n");
}

TEST_F(LogTest, RecallKnowsWhatIsWrittenAndWhatIsQueued) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  files_.Hang();
  AppendEventually("x");
  files_.AwaitHanging();
  AppendEventually("a");
  const auto standings = Recall({"a", "x", "never"});
  EXPECT_TRUE(standings.at("a").admitted);
  EXPECT_TRUE(standings.at("a").finished);
  EXPECT_FALSE(standings.at("x").admitted);
  EXPECT_TRUE(standings.at("x").finished);
  EXPECT_FALSE(standings.at("never").admitted);
  EXPECT_FALSE(standings.at("never").finished);
  EXPECT_FALSE(standings.at("never").unsure);
}

TEST_F(LogTest, RecallKnowsWhetherWhatWasKeptHasExpiredAlsoWhereItsAdmissionWasMovedAway) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  log_->AppendEventually(Of(RecordType::kRunExpired, "x"));
  Drain();
  const auto standings = log_->Recall({{"a", log_->Mark()}, {"x", ""}});
  ASSERT_TRUE(standings.has_value());
  EXPECT_FALSE(standings->at("a").expired);
  EXPECT_TRUE(standings->at("x").expired);
  EXPECT_FALSE(standings->at("x").unsure);
}

TEST_F(LogTest, RecallIsUnsureOfAnUnknownRunFromBeforeTheFileWasMovedAway) {
  Open();
  ASSERT_TRUE(Append("first").has_value());
  const std::string mark = log_->Mark();
  ASSERT_TRUE(Append("a").has_value());
  std::filesystem::rename(path_, path_ + ".1");
  ASSERT_FALSE(Append("b").has_value());
  ASSERT_TRUE(Append("c").has_value());
  const auto standings = Recall({"a", "c"}, mark);
  EXPECT_FALSE(standings.at("a").admitted);
  EXPECT_TRUE(standings.at("a").unsure);
  EXPECT_FALSE(standings.at("c").unsure) << "it is in what is there";
}

// A new file begins with index 0 again where nobody was there to go on with the old one.
TEST_F(LogTest, RecallIsUnsureWhereTheFileWasMovedAwayBetweenTwoProcesses) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  const std::string mark = log_->Mark();
  log_.reset();
  MoveAway();
  Open();
  EXPECT_TRUE(Recall({"a"}, mark).at("a").unsure) << "and has no record yet";
  ASSERT_TRUE(Append("b").has_value());
  EXPECT_TRUE(Recall({"a"}, mark).at("a").unsure);
}

TEST_F(LogTest, TheMarkOutlivesTheProcess) {
  Open();
  ASSERT_TRUE(Append("a").has_value());
  const std::string mark = log_->Mark();
  EXPECT_NE(mark, "");
  log_.reset();
  Open();
  ASSERT_TRUE(Append("b").has_value());
  EXPECT_NE(log_->Mark(), mark);
  EXPECT_FALSE(Recall({"never"}, mark).at("never").unsure);
}

TEST_F(LogTest, RecallIsUnsureOfAnUnknownRunWithoutAMark) {
  Open();
  const auto standings = log_->Recall({{"never", ""}});
  ASSERT_TRUE(standings.has_value());
  EXPECT_TRUE(standings->at("never").unsure);
}

TEST_F(LogTest, RecallIsSureOfARunFromBeforeTheFirstRecord) {
  Open();
  const std::string mark = log_->Mark();
  log_.reset();
  Open();
  EXPECT_FALSE(Recall({"never"}, mark).at("never").unsure);
  ASSERT_TRUE(Append("a").has_value());
  EXPECT_FALSE(Recall({"never"}, mark).at("never").unsure);
  EXPECT_NE(log_->Mark(), mark) << "it has a first record now";
}

TEST_F(LogTest, RecallIsUnsureWhereAFileWasMovedAwayThatHadBeenEmptyBeforeTheRun) {
  Open();
  const std::string mark = log_->Mark();
  ASSERT_TRUE(Append("a").has_value());
  log_.reset();
  MoveAway();
  Open();
  ASSERT_TRUE(Append("b").has_value());
  EXPECT_TRUE(Recall({"a"}, mark).at("a").unsure);
}

TEST_F(LogTest, AFailureIsToldOnceAndSoIsItsEnd) {
  std::vector<bool> told;  // the writer's thread writes it before the next record is durable
  settings_.on_change = [&told](bool works) { told.push_back(works); };
  Open();
  ASSERT_TRUE(Append("a").has_value());
  files_.write_error = ENOSPC;
  ASSERT_FALSE(Append("b").has_value());
  ASSERT_FALSE(Append("c").has_value());
  files_.write_error = 0;
  ASSERT_TRUE(Append("d").has_value());
  log_.reset();
  EXPECT_THAT(told, ElementsAre(false, true));
}

TEST_F(LogTest, DrainGivesUpAtItsDeadline) {
  Open();
  files_.Hang();
  AppendEventually("a");
  const auto drained = log_->Drain(Deadline::After(milliseconds(20)));
  ASSERT_FALSE(drained.has_value());
  EXPECT_EQ(drained.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(LogTest, ClosingWritesWhatIsQueued) {
  Open();
  for (int i = 0; i < 100; ++i) AppendEventually(std::to_string(i));
  log_.reset();
  EXPECT_THAT(Records(), SizeIs(100));
}

TEST_F(LogTest, ClosingEndsWhereTheDiskRefuses) {
  Open();
  files_.write_error = EIO;
  AppendEventually("a");
  log_.reset();
  EXPECT_EQ(ReadText(path_), "");
}

TEST_F(LogTest, ASecondWriterIsRefused) {
  Open();
  LogSettings settings = settings_;
  settings.directory = folder_.path();
  EXPECT_THAT(Log::Open(settings).error().message, HasSubstr("another broker"));
}

TEST_F(LogTest, AFolderThatOthersCanWriteIsRefused) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0777));
  LogSettings settings;
  settings.directory = folder_.path();
  const auto log = Log::Open(settings);
  ASSERT_FALSE(log.has_value());
  EXPECT_EQ(log.error().code, ErrorCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tidewaiter::audit
