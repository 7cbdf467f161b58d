#include "audit/segment_keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "audit/segment_packer.h"
#include "audit/verifier.h"
#include "tests/support/audit_store.h"
#include "tests/support/eventually.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SegmentKeeperTest : public ::testing::Test {
 protected:
  // A log of four records, each in a segment of its own, and a fifth that is begun.
  void SetUp() override {
    LogSettings settings{
        .directory = folder_.path(), .broker_id = "b", .store = testing::AuditStore()};
    settings.store.segment_bytes = 1;
    settings.store.checkpoint_records = 1;
    auto log = Log::Open(std::move(settings));
    ASSERT_TRUE(log.has_value()) << log.error().message;
    log_ = *std::move(log);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      Append();
      came_.push_back(Now());
      ASSERT_TRUE(Eventually([&] { return log_->End().segment == i; }));
    }
  }

  void Append() {
    Record record;
    record.type = RecordType::kRunDenied;
    ASSERT_TRUE(log_->Append(record, Deadline::After(seconds(20))).has_value());
  }
  std::unique_ptr<SegmentKeeper> Keep(SegmentKeeper::Settings settings) {
    settings.interval = std::chrono::milliseconds(5);
    auto keeper = SegmentKeeper::Start(*log_, std::move(settings));
    return *std::move(keeper);
  }
  // That keeps for a day, a day after record `index` came and before the next one did.
  [[nodiscard]] SegmentKeeper::Settings ADayAfter(std::size_t index) const {
    return {.compress = false, .retention = hours(24), .now = [now = came_.at(index) + hours(24)] {
              return now;
            }};
  }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  // "N", or "Nz" of one that is compressed.
  std::vector<std::string> Segments() const {
    std::vector<std::string> names;
    const auto segments = ListSegments(directory_.get());
    for (const SegmentFiles& each : *segments) {
      names.push_back(std::to_string(each.first) + (each.packed ? "z" : "") +
                      (each.HasRecords() ? "" : "?"));
    }
    return names;
  }
  Verdict Verify() const {
    auto verdict = VerifyLog(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)),
                             {.key = testing::AuditKey()->verifier()});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::unique_ptr<Log> log_;
  std::vector<Timestamp> came_;  // behind each record
};

TEST_F(SegmentKeeperTest, CompressesWhatIsNotWrittenAnyMore) {
  const std::string lines = ReadText(File(2, kLinesSuffix));
  const auto keeper = Keep({});
  EXPECT_TRUE(Eventually([&] {
    return Segments() == std::vector<std::string>{"0z", "1z", "2z", "3z", "4"};
  }));
  EXPECT_FALSE(std::filesystem::exists(File(2, kLinesSuffix)));
  RecordReader reader(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)), 2, {});
  const auto record = reader.Next();
  ASSERT_TRUE(record.has_value() && record->has_value());
  EXPECT_EQ(std::string((*record)->line) + "\n", lines);
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(SegmentKeeperTest, CompressesNothingWhereItIsToldNotTo) {
  const auto keeper = Keep(ADayAfter(1));
  EXPECT_TRUE(Eventually([&] { return Segments().front() == "1"; }));
  EXPECT_TRUE(std::filesystem::exists(File(1, kLinesSuffix)));
}

TEST_F(SegmentKeeperTest, RemovesWhatWasKeptForLongEnoughAndSaysSoFirst) {
  const auto keeper = Keep(ADayAfter(2));
  ASSERT_TRUE(Eventually([&] { return Segments().front() == "2"; }));
  EXPECT_THAT(ReadLog(folder_.path()).at(2), HasSubstr(R"("removed_to":2)"));
  const Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_EQ(verdict.first_record, 2U);
  EXPECT_EQ(verdict.removed_to, 2U);
}

// A record that nobody has signed for excuses nothing.
TEST_F(SegmentKeeperTest, RemovesNothingWhereNoCheckpointCanSaySo) {
  ASSERT_TRUE(Eventually([&] { return log_->SignedRecords() == 4; }));
  std::filesystem::create_directory(folder_.File(std::string(kCheckpointName) + ".new"));
  const auto keeper = Keep(ADayAfter(2));
  ASSERT_TRUE(Eventually([&] { return keeper->Failure().has_value(); }));
  EXPECT_THAT(Segments(), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_THAT(keeper->Failure()->message, HasSubstr("no checkpoint says that they go"));
  // It is said once, and done once it can be signed for.
  std::filesystem::remove(folder_.File(std::string(kCheckpointName) + ".new"));
  ASSERT_TRUE(Eventually([&] { return Segments().front() == "2"; }));
  std::size_t said = 0;
  for (const std::string& line : ReadLog(folder_.path())) {
    if (line.find("audit.removed") != std::string::npos) ++said;
  }
  EXPECT_EQ(said, 1U);
}

// As a segment leaves it that could not be begun, or whoever can write the folder: the records
// behind it are those of the segment before.
TEST_F(SegmentKeeperTest, WhereNoSegmentBeginsNoneEnds) {
  Append();
  came_.push_back(Now());
  ASSERT_TRUE(Eventually([&] { return log_->End().segment == 5; }));
  for (int i = 0; i < 2; ++i) Append();
  ASSERT_TRUE(Eventually([&] { return log_->End().segment == 7; }));
  for (const std::uint64_t first : {4U, 5U, 6U}) {
    AppendText(File(3, kLinesSuffix), ReadText(File(first, kLinesSuffix)));
    std::filesystem::remove(File(first, kLinesSuffix));
  }
  const std::vector<std::string> before{"0", "1", "2", "3", "4?", "5?", "6?", "7"};
  ASSERT_EQ(Segments(), before);
  {
    // Record 4 is old, those behind it are not.
    const auto keeper = Keep(ADayAfter(4));
    ASSERT_TRUE(Eventually([&] { return Segments().front() == "3"; }));
  }
  EXPECT_TRUE(std::filesystem::exists(File(3, kLinesSuffix)));
  // Once all of them are, what never began goes with them.
  const auto keeper = Keep(
      {.compress = false, .retention = hours(24), .now = [] { return Now() + hours(24 * 30); }});
  EXPECT_TRUE(Eventually([&] { return Segments().front() == "7" || Segments().front() > "7"; }));
}

TEST_F(SegmentKeeperTest, KeepsForEverWhereThereIsNoRetention) {
  const auto keeper = Keep({.now = [] { return Now() + hours(24 * 366 * 10); }});
  EXPECT_TRUE(Eventually([&] { return Segments().at(3) == "3z"; }));
  EXPECT_EQ(Segments().front(), "0z");
}

TEST_F(SegmentKeeperTest, AFilesDateMakesNothingOld) {
  for (const std::uint64_t first : {0U, 1U, 2U, 3U}) {
    std::filesystem::last_write_time(
        File(first, kLinesSuffix),
        std::filesystem::file_time_type::clock::now() - hours(24 * 366 * 10));
  }
  const auto keeper = Keep({.retention = hours(24)});
  EXPECT_TRUE(Eventually([&] { return Segments().at(3) == "3z"; }));
  EXPECT_EQ(Segments().front(), "0z");
}

TEST_F(SegmentKeeperTest, ATimeOfAnotherFormMakesNothingOld) {
  std::string line = ReadText(File(1, kLinesSuffix));
  const std::size_t time = line.find(R"("time":")") + 8;
  line.replace(time, line.find('"', time) - time, "0");
  std::ofstream(File(1, kLinesSuffix), std::ios::binary | std::ios::trunc) << line;
  const auto keeper = Keep({.retention = hours(24)});
  EXPECT_TRUE(Eventually([&] { return Segments().at(3) == "3z"; }));
  EXPECT_EQ(Segments().front(), "0z");
}

TEST_F(SegmentKeeperTest, ALinkInPlaceOfTheLinesIsNotCompressed) {
  std::filesystem::rename(File(1, kLinesSuffix), folder_.File("elsewhere"));
  std::filesystem::create_symlink(folder_.File("elsewhere"), File(1, kLinesSuffix));
  EXPECT_FALSE(PackSegment(directory_.get(), 1, [] { return false; }).has_value());
  EXPECT_FALSE(std::filesystem::exists(File(1, kPackedSuffix)));
  EXPECT_TRUE(std::filesystem::is_symlink(File(1, kLinesSuffix)));
}

TEST_F(SegmentKeeperTest, WhatACrashLeftOfARemovalIsRemoved) {
  std::filesystem::remove(File(0, kLinesSuffix));
  const auto keeper = Keep(ADayAfter(2));
  EXPECT_TRUE(Eventually([&] { return Segments().front() == "2"; }));
}

// What a removal excuses is that removal: each of these was believed once.
class AfterARemoval : public SegmentKeeperTest {
 protected:
  void SetUp() override {
    SegmentKeeperTest::SetUp();
    const auto keeper = Keep(ADayAfter(2));
    ASSERT_TRUE(Eventually([&] { return Segments().front() == "2"; }));
    ASSERT_TRUE(Verify().Holds());
  }
};

TEST_F(AfterARemoval, AChangedRecordIsFoundBehindAnyNumberOfOtherFaults) {
  std::string junk;
  for (int i = 0; i < 150; ++i) junk += "x\n\ny\n\n";
  const std::string notes = ReadText(File(2, kCheckpointsSuffix));
  std::ofstream(File(2, kCheckpointsSuffix), std::ios::binary | std::ios::trunc) << junk << notes;
  std::string line = ReadText(File(3, kLinesSuffix));
  line[line.find("denied")] = 'D';
  std::ofstream(File(3, kLinesSuffix), std::ios::binary | std::ios::trunc) << line;
  EXPECT_FALSE(Verify().Holds());
}

TEST_F(AfterARemoval, RecordsThatSomebodyElseRemovedAreMissing) {
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    std::filesystem::remove(File(2, suffix));
    std::filesystem::remove(File(3, suffix));
  }
  AppendText(File(1, kLinesSuffix), "");
  EXPECT_FALSE(Verify().Holds());
}

TEST_F(AfterARemoval, RecordsThatSomebodyMadeUpAreFound) {
  AppendText(File(0, kLinesSuffix), R"({"index":0,"time":"t","type":"run.denied"})"
                                    "\n");
  EXPECT_FALSE(Verify().Holds());
}

TEST_F(AfterARemoval, ACheckpointFromElsewhereThatIsNoneIsAFault) {
  const auto verdict = VerifyLog(
      UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)),
      {.key = testing::AuditKey()->verifier(), .checkpoints = {{.name = "kept", .bytes = "junk"}}});
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->Holds());
}

TEST_F(SegmentKeeperTest, ACompressedSegmentThatSaysSomethingElseIsAFaultAndIsNotReplaced) {
  ASSERT_TRUE(PackSegment(directory_.get(), 1, [] { return false; }).has_value());
  const std::string packed = ReadText(File(1, kPackedSuffix));
  AppendText(File(1, kLinesSuffix), R"({"index":1,"time":"t","type":"run.admitted"})"
                                    "\n");
  EXPECT_FALSE(Verify().Holds());
  EXPECT_THAT(PackSegment(directory_.get(), 1, [] { return false; }).error().message,
              HasSubstr("says something else"));
  EXPECT_EQ(ReadText(File(1, kPackedSuffix)), packed);
  EXPECT_TRUE(std::filesystem::exists(File(1, kLinesSuffix)));
}

TEST_F(SegmentKeeperTest, ACompressedSegmentThatSaysSomethingElseBesideTheGenuineLinesIsAFault) {
  ASSERT_TRUE(PackSegment(directory_.get(), 0, [] { return false; }).has_value());
  std::filesystem::copy_file(File(0, kPackedSuffix), File(1, kPackedSuffix));
  const Verdict verdict = Verify();
  ASSERT_FALSE(verdict.Holds());
  EXPECT_THAT(verdict.faults[0].message, HasSubstr("does not say what"));
}

TEST_F(SegmentKeeperTest, AFifoInTheWayKeepsNoOtherSegmentFromItsTurn) {
  std::filesystem::remove(File(1, kLinesSuffix));
  ASSERT_EQ(::mkfifo(File(1, kLinesSuffix).c_str(), 0600), 0);
  const auto keeper = Keep({});
  EXPECT_TRUE(Eventually([&] { return Segments().at(3) == "3z"; }));
  EXPECT_TRUE(Eventually([&] { return keeper->Failure().has_value(); }));
}

TEST_F(SegmentKeeperTest, RecordsThatSomebodyElseRemovedAreMissing) {
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    std::filesystem::remove(File(0, suffix));
  }
  const Verdict verdict = Verify();
  ASSERT_FALSE(verdict.Holds());
  EXPECT_EQ(verdict.faults[0].kind, FaultKind::kMissing);
  EXPECT_EQ(verdict.faults[0].record, 0U);
  EXPECT_EQ(verdict.faults[0].count, 1U);
}

TEST_F(SegmentKeeperTest, AnAttemptThatACrashCutShortIsMadeAgain) {
  AppendText(File(0, ".jsonl.zst.new"), "torn");
  const std::string lines = ReadText(File(1, kLinesSuffix));
  ASSERT_TRUE(PackSegment(directory_.get(), 1, [] { return false; }).has_value());
  AppendText(File(1, kLinesSuffix), lines);
  const auto keeper = Keep({});
  EXPECT_TRUE(Eventually([&] {
    return Segments() == std::vector<std::string>{"0z", "1z", "2z", "3z", "4"} &&
           !std::filesystem::exists(File(1, kLinesSuffix));
  }));
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(SegmentKeeperTest, APackingThatIsStoppedChangesNothing) {
  const auto packed = PackSegment(directory_.get(), 0, [] { return true; });
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(Segments(), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(SegmentKeeperTest, ADamagedCompressedSegmentIsAFault) {
  ASSERT_TRUE(PackSegment(directory_.get(), 1, [] { return false; }).has_value());
  std::filesystem::resize_file(File(1, kPackedSuffix),
                               std::filesystem::file_size(File(1, kPackedSuffix)) / 2);
  const Verdict verdict = Verify();
  ASSERT_FALSE(verdict.Holds());
  EXPECT_EQ(verdict.faults[0].record, 1U);
}

}  // namespace
}  // namespace tidewaiter::audit
