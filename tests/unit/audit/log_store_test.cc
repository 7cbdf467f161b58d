#include "audit/log_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "audit/stored_hashes.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Line(std::uint64_t index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})" + "\n";
}

class LogStoreTest : public ::testing::Test {
 protected:
  Result<LogStore> TryOpen() { return LogStore::Open(directory_.get(), settings_, files_); }
  LogStore Open() {
    auto store = TryOpen();
    if (!store) ADD_FAILURE() << store.error().message;
    return *std::move(store);
  }
  static void Append(LogStore& store, std::uint64_t records = 1) {
    for (std::uint64_t i = 0; i < records; ++i) {
      const auto appended = store.Append(Line(store.end().next_index));
      ASSERT_TRUE(appended.has_value()) << appended.error().message;
    }
  }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  [[nodiscard]] std::uint64_t SignedRecords() const {
    const auto checkpoint =
        ReadSignedCheckpoint(ReadText(folder_.File(kCheckpointName)), settings_.key->verifier());
    if (!checkpoint) ADD_FAILURE() << checkpoint.error().message;
    return checkpoint ? checkpoint->size : 0;
  }
  Verdict Verify() const {
    auto verdict = VerifyLog(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)),
                             {.key = settings_.key->verifier()});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  std::vector<std::uint64_t> Segments() const {
    std::vector<std::uint64_t> firsts;
    const auto segments = ListSegments(directory_.get());
    for (const SegmentFiles& each : *segments) firsts.push_back(each.first);
    return firsts;
  }
  // A log of three records, all signed for, closed.
  void MakeLog() {
    LogStore store = Open();
    Append(store, 3);
    ASSERT_TRUE(store.Sign().has_value());
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  FaultyFiles files_;
  StoreSettings settings_ = testing::AuditStore();
};

TEST_F(LogStoreTest, BeginsWithACheckpointOfNoRecords) {
  Open();
  EXPECT_THAT(ReadText(File(0, kCheckpointsSuffix)), HasSubstr("\n0\n"));
  EXPECT_EQ(ReadText(File(0, kLinesSuffix)), "");
}

TEST_F(LogStoreTest, GoesOnAfterARestart) {
  MakeLog();
  LogStore store = Open();
  EXPECT_EQ(store.end().next_index, 3U);
  Append(store, 2);
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_EQ(SignedRecords(), 5U);
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(LogStoreTest, ACheckpointIsDueOnceEnoughRecordsAreNotCovered) {
  settings_.checkpoint_records = 3;
  settings_.checkpoint_interval = std::chrono::hours(1);
  LogStore store = Open();
  ASSERT_TRUE(store.Sign().has_value());
  Append(store, 2);
  EXPECT_FALSE(store.sign_due().Passed());
  Append(store);
  EXPECT_TRUE(store.sign_due().Passed());
}

TEST_F(LogStoreTest, ACheckpointIsDueOnceARecordHasWaitedLongEnough) {
  settings_.checkpoint_interval = std::chrono::milliseconds(0);
  LogStore store = Open();
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_TRUE(store.sign_due().never());
  Append(store);
  EXPECT_TRUE(store.sign_due().Passed());
}

TEST_F(LogStoreTest, ThePublicKeyLiesBesideTheRecords) {
  Open();
  EXPECT_EQ(ReadText(folder_.File(kPublicKeyName)), settings_.key->verifier().ToString() + "\n");
}

TEST_F(LogStoreTest, AFullSegmentIsFollowedByTheNext) {
  settings_.segment_bytes = 2 * Line(0).size();
  LogStore store = Open();
  Append(store);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_THAT(Segments(), ElementsAre(0));
  Append(store);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  Append(store);
  EXPECT_THAT(Segments(), ElementsAre(0, 2));
  EXPECT_EQ(ReadText(File(2, kLinesSuffix)), Line(2));
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(LogStoreTest, AnOldSegmentIsFollowedByTheNext) {
  settings_.segment_age = std::chrono::milliseconds(0);
  LogStore store = Open();
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_THAT(Segments(), ElementsAre(0)) << "there is nothing in it";
  Append(store);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_THAT(Segments(), ElementsAre(0, 1));
}

TEST_F(LogStoreTest, LaterSegmentsVerifyWithoutTheOnesBefore) {
  settings_.segment_bytes = 5 * Line(0).size();
  {
    LogStore store = Open();
    for (int i = 0; i < 17; ++i) {
      Append(store);
      ASSERT_TRUE(store.RotateIfDue().has_value());
    }
    ASSERT_TRUE(store.Sign().has_value());
  }
  ASSERT_THAT(Segments(), ElementsAre(0, 5, 10, 15));
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    std::filesystem::remove(File(0, suffix));
    std::filesystem::remove(File(5, suffix));
  }
  const Verdict verdict = Verify();
  EXPECT_EQ(verdict.first_record, 10U);
  // Their own records hold; what nothing says is that the others were removed.
  ASSERT_EQ(verdict.faults.size(), 1U);
  EXPECT_EQ(verdict.faults[0].kind, FaultKind::kMissing);
  EXPECT_EQ(verdict.faults[0].count, 10U);
  LogStore store = Open();
  Append(store);
  EXPECT_EQ(store.end().next_index, 18U);
}

// As it stands after a kill amid the beginning of the segment.
TEST_F(LogStoreTest, ASegmentThatACrashKeptFromBeginningIsBegunAgain) {
  MakeLog();
  const std::string notes = ReadText(File(0, kCheckpointsSuffix));
  AppendText(File(3, kCheckpointsSuffix), notes);
  LogStore store = Open();
  Append(store);
  EXPECT_THAT(Segments(), ElementsAre(0));
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(LogStoreTest, ATornLineIsCut) {
  MakeLog();
  AppendText(File(0, kLinesSuffix), Line(3).substr(0, 20));
  LogStore store = Open();
  EXPECT_EQ(store.cut_bytes(), 20U);
  EXPECT_EQ(store.end().next_index, 3U);
  EXPECT_EQ(ReadText(File(0, kLinesSuffix)), Line(0) + Line(1) + Line(2));
}

TEST_F(LogStoreTest, ZeroesLeftByAPowerFailureAreCut) {
  MakeLog();
  AppendText(File(0, kLinesSuffix), std::string(100'000, '\0'));
  EXPECT_EQ(Open().cut_bytes(), 100'000U);
}

TEST_F(LogStoreTest, ATornFirstRecordIsCut) {
  Open();
  AppendText(File(0, kLinesSuffix), Line(0).substr(0, 9));
  EXPECT_EQ(Open().cut_bytes(), 9U);
}

TEST_F(LogStoreTest, ATornCheckpointIsWrittenOver) {
  MakeLog();
  AppendText(File(0, kCheckpointsSuffix), "\ntidewaiter/test\n3\nAAAA");
  {
    LogStore store = Open();
    Append(store);
    ASSERT_TRUE(store.Sign().has_value());
  }
  EXPECT_THAT(Verify().faults, IsEmpty());
}

TEST_F(LogStoreTest, MoreThanACrashCouldLeaveIsNotCut) {
  MakeLog();
  AppendText(File(0, kLinesSuffix), "{\"" + std::string(kMaxTornBytes, 'x'));
  EXPECT_THAT(TryOpen().error().message, HasSubstr("more follows than a crash could leave"));
}

TEST_F(LogStoreTest, AForeignFileIsLeftAlone) {
  Open();
  AppendText(File(0, kLinesSuffix), "root:x:0:0:root:/root:/bin/bash\n");
  const auto store = TryOpen();
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(ReadText(File(0, kLinesSuffix)), "root:x:0:0:root:/root:/bin/bash\n");
}

TEST_F(LogStoreTest, RecordsThatAreNotThoseThatWereSignedAreNotGoneOnFrom) {
  MakeLog();
  std::string lines = ReadText(File(0, kLinesSuffix));
  lines[lines.find("denied")] = 'D';
  std::ofstream(File(0, kLinesSuffix), std::ios::binary | std::ios::trunc) << lines;
  EXPECT_THAT(TryOpen().error().message, HasSubstr("have been changed"));
}

TEST_F(LogStoreTest, RecordsThatWereSignedAndAreGoneAreNotGoneOnFrom) {
  MakeLog();
  std::filesystem::resize_file(File(0, kLinesSuffix), 2 * Line(0).size());
  EXPECT_THAT(TryOpen().error().message, HasSubstr("record 2 is missing or damaged"));
}

TEST_F(LogStoreTest, ACheckpointWithoutRecordsIsNotBegunOver) {
  MakeLog();
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    std::filesystem::remove(File(0, suffix));
  }
  EXPECT_THAT(TryOpen().error().message, HasSubstr("no record"));
}

TEST_F(LogStoreTest, ASegmentWhoseCheckpointsAreGoneIsNotGoneOnFrom) {
  MakeLog();
  std::filesystem::remove(File(0, kCheckpointsSuffix));
  EXPECT_THAT(TryOpen().error().message, HasSubstr("checkpoints': it is missing"));
}

// With a folder that those who write the log's do not reach.
class RememberingStoreTest : public LogStoreTest {
 protected:
  RememberingStoreTest() { settings_.state_directory = state_directory_.get(); }

  ScratchFolder state_;
  const UniqueFd state_directory_{
      ::open(state_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(RememberingStoreTest, RecordsWhoseCheckpointsWereStrippedAreNotSignedForAnew) {
  MakeLog();
  // The segment has the one with which it begins, and no more.
  std::filesystem::remove(folder_.File(kCheckpointName));
  std::string lines = ReadText(File(0, kLinesSuffix));
  lines[lines.find("denied")] = 'D';
  std::ofstream(File(0, kLinesSuffix), std::ios::binary | std::ios::trunc) << lines;
  EXPECT_THAT(TryOpen().error().message, HasSubstr("have been changed"));
}

TEST_F(RememberingStoreTest, AnOlderCopyIsNotGoneOnFrom) {
  MakeLog();
  const std::filesystem::path old = folder_.path() + "-old";
  std::filesystem::copy(folder_.path(), old, std::filesystem::copy_options::recursive);
  {
    LogStore store = Open();
    Append(store);
    ASSERT_TRUE(store.Sign().has_value());
  }
  std::filesystem::copy(
      old, folder_.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove_all(old);
  EXPECT_THAT(TryOpen().error().message, HasSubstr("record 3 is missing"));
}

TEST_F(RememberingStoreTest, OneKeyDoesNotSignForTwoLogs) {
  MakeLog();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    std::filesystem::remove(entry.path());
  }
  EXPECT_THAT(TryOpen().error().message, HasSubstr("its key has signed for 3"));
  settings_.key = std::make_shared<const SigningKey>(*SigningKey::Generate("tidewaiter/test"));
  EXPECT_EQ(Open().end().next_index, 0U);
}

TEST_F(LogStoreTest, CheckpointsWhoseRecordsAreGoneAreNotRemoved) {
  MakeLog();
  const std::string notes = ReadText(File(0, kCheckpointsSuffix));
  const std::string newest = ReadText(folder_.File(kCheckpointName));
  {
    LogStore store = Open();
    Append(store, 2);
    ASSERT_TRUE(store.Sign().has_value());
  }
  // As if records 3 and 4 had been in a segment that somebody has removed.
  AppendText(File(3, kCheckpointsSuffix), ReadText(folder_.File(kCheckpointName)));
  std::filesystem::resize_file(File(0, kLinesSuffix), 3 * Line(0).size());
  std::ofstream(File(0, kCheckpointsSuffix), std::ios::binary | std::ios::trunc) << notes;
  std::ofstream(folder_.File(kCheckpointName), std::ios::binary | std::ios::trunc) << newest;
  EXPECT_THAT(TryOpen().error().message, HasSubstr("5 were signed, 3 are there"));
}

TEST_F(LogStoreTest, ADiskThatTakesNoHashesKeepsNobodyFromGoingOn) {
  MakeLog();
  std::filesystem::remove(File(0, kHashesSuffix));
  std::filesystem::create_directory(File(0, kHashesSuffix));
  LogStore store = Open();
  Append(store);
  EXPECT_EQ(store.end().next_index, 4U);
}

TEST_F(LogStoreTest, LinesThatWereReadBackAreOnDiskBeforeTheyAreSignedFor) {
  MakeLog();
  files_.sync_error = EIO;
  EXPECT_FALSE(TryOpen().has_value());
}

TEST_F(LogStoreTest, ALogOfAnotherKeyIsNotGoneOnFrom) {
  MakeLog();
  settings_.key = std::make_shared<const SigningKey>(*SigningKey::Generate("tidewaiter/test"));
  EXPECT_THAT(TryOpen().error().message, HasSubstr("not signed by the key"));
  settings_.key = std::make_shared<const SigningKey>(*SigningKey::Generate("tidewaiter/other"));
  EXPECT_THAT(TryOpen().error().message, HasSubstr("of the log 'tidewaiter/test'"));
}

TEST_F(LogStoreTest, AMissingNewestCheckpointIsNoFault) {
  MakeLog();
  std::filesystem::remove(folder_.File(kCheckpointName));
  EXPECT_EQ(Open().end().next_index, 3U);
}

TEST_F(LogStoreTest, ALostFileIsFollowedByASegmentOfTheNextRecord) {
  LogStore store = Open();
  Append(store, 2);
  std::filesystem::remove(File(0, kLinesSuffix));
  EXPECT_EQ(store.Append(Line(2)).error().reason, kLogReplaced);
  Append(store);
  EXPECT_EQ(ReadText(File(2, kLinesSuffix)), Line(2));
  ASSERT_TRUE(store.Sign().has_value());
  const Verdict verdict = Verify();
  ASSERT_FALSE(verdict.Holds());
  EXPECT_EQ(verdict.faults[0].kind, FaultKind::kMissing);
}

TEST_F(LogStoreTest, NothingIsSignedForThatIsNotOnDisk) {
  LogStore store = Open();
  Append(store);
  files_.sync_error = EIO;
  ASSERT_FALSE(store.Append(Line(1)).has_value());
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_EQ(SignedRecords(), 1U);
}

// The hashes are where docs/AUDIT.md says: each leaf's, and behind it each subtree's that it makes.
TEST_F(LogStoreTest, HashesAreStoredWhereTheyAreLookedFor) {
  settings_.segment_bytes = 3 * Line(0).size();
  LogStore store = Open();
  for (int i = 0; i < 8; ++i) {
    Append(store);
    ASSERT_TRUE(store.RotateIfDue().has_value());
  }
  std::string stored;
  for (const std::uint64_t first : {0U, 3U, 6U}) stored += ReadText(File(first, kHashesSuffix));
  ASSERT_EQ(stored.size(), kHashBytes * StoredHashes(8));
  TreeHasher hasher;
  const auto at = [&stored](unsigned level, std::uint64_t number) {
    Hash hash{};
    std::copy_n(
        stored.begin() + static_cast<std::ptrdiff_t>(kHashBytes * StoredPlace(level, number)),
        hash.size(), hash.begin());
    return hash;
  };
  for (std::uint64_t i = 0; i < 8; ++i) {
    const std::string line = Line(i);
    EXPECT_EQ(at(0, i), hasher.Leaf(std::string_view(line).substr(0, line.size() - 1)));
  }
  EXPECT_EQ(at(1, 3), hasher.Node(at(0, 6), at(0, 7)));
  EXPECT_EQ(at(2, 1), hasher.Node(at(1, 2), at(1, 3)));
  EXPECT_EQ(at(3, 0), hasher.Node(at(2, 0), at(2, 1)));
}

TEST_F(LogStoreTest, HashesThatACrashTookAreMadeAnew) {
  MakeLog();
  const std::string hashes = ReadText(File(0, kHashesSuffix));
  std::filesystem::resize_file(File(0, kHashesSuffix), 40);
  Open();
  EXPECT_EQ(ReadText(File(0, kHashesSuffix)), hashes);
}

}  // namespace
}  // namespace tidewaiter::audit
