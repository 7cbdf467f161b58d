// From what a start goes on, from what it does not, and what it leaves for the next one. What a
// crash leaves by itself: log_store_test.cc.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/segment_packer.h"
#include "audit/segment_recovery.h"
#include "audit/signed_checkpoint.h"
#include "audit/signed_note.h"
#include "audit/verifier.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string Line(std::uint64_t index, const std::string& type = "run.denied") {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":")" + type + "\"}\n";
}

// fsync(2), by which names become durable, fails on command.
class UnsyncedNames : public FaultyFiles {
 public:
  bool fails = false;
  int Fsync(int fd) override {
    if (!fails) return FaultyFiles::Fsync(fd);
    errno = EIO;
    return -1;
  }
};

class LogStart : public ::testing::Test {
 protected:
  LogStart() { settings_.checkpoint_records = 3; }

  Result<LogStore> TryOpen() { return LogStore::Open(directory_.get(), settings_, files_); }
  LogStore Open() {
    auto store = TryOpen();
    if (!store) ADD_FAILURE() << store.error().message;
    return *std::move(store);
  }
  std::string Refusal() {
    const auto store = TryOpen();
    return store ? "it was opened" : store.error().message;
  }
  static void Append(LogStore& store, std::uint64_t records) {
    for (std::uint64_t i = 0; i < records; ++i) {
      ASSERT_TRUE(store.Append(Line(store.end().next_index)).has_value());
    }
  }
  // A log of three records, all signed for, closed.
  void MakeLog() {
    LogStore store = Open();
    Append(store, 3);
    ASSERT_TRUE(store.Sign().has_value());
  }
  // Two segments: of three records, and of the last two.
  void MakeTwoSegments() {
    settings_.segment_bytes = 3 * Line(0).size();
    LogStore store = Open();
    Append(store, 3);
    ASSERT_TRUE(store.RotateIfDue().has_value());
    Append(store, 2);
    ASSERT_TRUE(store.Sign().has_value());
    ASSERT_EQ(store.end().segment, 3U);
  }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  [[nodiscard]] std::string Newest() const { return folder_.File(kCheckpointName); }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  Verdict Verify() const {
    auto verdict = VerifyLog(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)),
                             {.key = settings_.key->verifier()});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  // How many records the last note of that file covers.
  [[nodiscard]] std::uint64_t LastNoteOf(const std::string& path) const {
    const std::string text = ReadText(path);
    const std::size_t begin = text.rfind("\ntidewaiter/");
    const auto checkpoint = ReadSignedCheckpoint(
        std::string_view(text).substr(begin == std::string::npos ? 0 : begin + 1),
        settings_.key->verifier());
    if (!checkpoint) ADD_FAILURE() << checkpoint.error().message;
    return checkpoint ? checkpoint->size : 0;
  }

  ScratchFolder folder_;
  const UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  UnsyncedNames files_;
  StoreSettings settings_ = testing::AuditStore();
};

TEST_F(LogStart, KeepsTheCheckpointsThatAreThere) {
  MakeLog();
  const std::string before = ReadText(File(0, kCheckpointsSuffix));
  LogStore store = Open();
  Append(store, 3);
  ASSERT_TRUE(store.Sign().has_value());
  const std::string after = ReadText(File(0, kCheckpointsSuffix));
  EXPECT_THAT(after, StartsWith(before));
  EXPECT_EQ(LastNoteOf(File(0, kCheckpointsSuffix)), 6U);
  EXPECT_EQ(Verify().checkpoints, 4U) << "of 0, 3 and 6 records, and the newest";
}

TEST_F(LogStart, WritesOverATornCheckpointAsLongAsItIs) {
  MakeLog();
  AppendText(File(0, kCheckpointsSuffix), "\ntidewaiter/test\n3\n" + std::string(5000, 'A'));
  LogStore store = Open();
  Append(store, 3);
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_THAT(ReadText(File(0, kCheckpointsSuffix)), EndsWith(store.checkpoint()));
}

TEST_F(LogStart, ATailThatNoCheckpointCouldLeaveIsNotWrittenOver) {
  MakeLog();
  AppendText(File(0, kCheckpointsSuffix), std::string(kMaxTornBytes + 1, '\n'));
  EXPECT_THAT(Refusal(), HasSubstr("its end is no checkpoint"));
}

TEST_F(LogStart, AWholeRecordOfAnotherNumberBehindTheSignedOnesIsCut) {
  MakeLog();
  AppendText(File(0, kLinesSuffix), Line(7));
  LogStore store = Open();
  EXPECT_EQ(store.cut_bytes(), Line(7).size());
  EXPECT_EQ(store.end().next_index, 3U);
  EXPECT_EQ(ReadText(File(0, kLinesSuffix)), Line(0) + Line(1) + Line(2));
}

TEST_F(LogStart, ANewestCheckpointOfZeroesIsWhatAPowerFailureLeaves) {
  MakeLog();
  Write(Newest(), std::string(300, '\0'));
  EXPECT_EQ(Open().end().next_index, 3U);
}

TEST_F(LogStart, DoesNotGoOnFromTwoCheckpointsThatDiffer) {
  MakeLog();
  const ScratchFolder elsewhere;
  const UniqueFd other(::open(elsewhere.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto store = LogStore::Open(other.get(), settings_, FileOperations::System());
  ASSERT_TRUE(store->Append(Line(0, "other") + Line(1) + Line(2)).has_value());
  ASSERT_TRUE(store->Sign().has_value());
  Write(Newest(), store->checkpoint());
  EXPECT_THAT(Refusal(), HasSubstr("two checkpoints of 3 records differ"));
}

TEST_F(LogStart, DoesNotGoOnFromTheCheckpointsOfAnotherSegment) {
  MakeTwoSegments();
  fs::copy_file(File(0, kCheckpointsSuffix), File(3, kCheckpointsSuffix),
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(Refusal(), HasSubstr("it does not begin where its name says"));
}

TEST_F(LogStart, DoesNotGoOnFromNoCheckpoint) {
  MakeLog();
  Write(File(0, kCheckpointsSuffix), "");
  EXPECT_THAT(Refusal(), HasSubstr("it has no checkpoint"));
}

TEST_F(LogStart, DoesNotGoOnFromCheckpointsThatAreNoFile) {
  MakeLog();
  fs::remove(File(0, kCheckpointsSuffix));
  fs::create_directory(File(0, kCheckpointsSuffix));
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
}

TEST_F(LogStart, DoesNotBeginALogBesideTheRestOfOne) {
  MakeTwoSegments();
  fs::remove(Newest());
  for (const std::uint64_t first : {0U, 3U}) fs::remove(File(first, kLinesSuffix));
  EXPECT_THAT(Refusal(), HasSubstr("its records are missing"));
  EXPECT_FALSE(fs::exists(File(0, kLinesSuffix)));
}

TEST_F(LogStart, DoesNotGoOnFromACompressedSegment) {
  MakeTwoSegments();
  fs::remove(Newest());
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    fs::remove(File(3, suffix));
  }
  ASSERT_TRUE(PackSegment(directory_.get(), 0, [] { return false; }).has_value());
  EXPECT_THAT(Refusal(), HasSubstr("the segment that was being written is missing"));
}

TEST_F(LogStart, DoesNotGoOnBeforeASegmentOfWhichSomethingIsLeft) {
  MakeLog();
  AppendText(File(9, kHashesSuffix), "");
  EXPECT_THAT(Refusal(), HasSubstr("its last records are missing"));
}

TEST_F(LogStart, ADiskThatFailsIsNoReasonToBeginANewLog) {
  MakeLog();
  files_.sync_error = EIO;
  EXPECT_THAT(Refusal(), Not(HasSubstr("to begin a new log")));
}

TEST_F(LogStart, HashesThatCannotBeMadeAnewAreRatherNone) {
  MakeLog();
  std::string hashes = ReadText(File(0, kHashesSuffix));
  hashes[5] = static_cast<char>(hashes[5] ^ 1);
  Write(File(0, kHashesSuffix), hashes);
  fs::create_directory(File(0, ".hashes.new"));
  LogStore store = Open();
  Append(store, 3);
  ASSERT_TRUE(store.Sign().has_value());
  EXPECT_EQ(ReadText(File(0, kHashesSuffix)), "") << "neither wrong ones nor a hole";
  EXPECT_THAT(Verify().remarks, IsEmpty());
}

TEST_F(LogStart, TheFirstRecordWaitsUntilItsFilesNameIsDurable) {
  LogStore store = Open();
  files_.fails = true;
  EXPECT_THAT(store.Append(Line(0)).error().message, HasSubstr("sync directory of audit log"));
  EXPECT_EQ(ReadText(File(0, kLinesSuffix)), "");
  files_.fails = false;
  ASSERT_TRUE(store.Append(Line(0)).has_value());
  files_.fails = true;
  EXPECT_TRUE(store.Append(Line(1)).has_value()) << "once is enough";
}

TEST_F(LogStart, ASegmentEndsWithACheckpointOfAllItsRecords) {
  settings_.checkpoint_records = 1000;
  settings_.segment_bytes = 3 * Line(0).size();
  LogStore store = Open();
  Append(store, 3);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  ASSERT_EQ(store.end().segment, 3U);
  EXPECT_EQ(LastNoteOf(File(0, kCheckpointsSuffix)), 3U);
}

TEST_F(LogStart, ASegmentListsACheckpointOnceTheLastIsOldEnough) {
  settings_.checkpoint_records = 1000;
  for (const auto& [interval, listed] : {std::pair(std::chrono::hours(1), std::uint64_t{0}),
                                         std::pair(std::chrono::hours(0), std::uint64_t{2})}) {
    settings_.list_interval = interval;
    LogStore store = Open();
    Append(store, 1);
    ASSERT_TRUE(store.Sign().has_value());
    EXPECT_EQ(LastNoteOf(File(0, kCheckpointsSuffix)), listed);
  }
}

// What stands behind the last whole record would be inserted there for whoever verifies.
TEST_F(LogStart, ASegmentThatMayEndInATornRecordIsNotFollowedByTheNext) {
  settings_.segment_age = std::chrono::milliseconds(0);
  LogStore store = Open();
  Append(store, 2);
  files_.sync_error = EIO;
  files_.truncate_error = EIO;
  ASSERT_FALSE(store.Append(Line(2)).has_value());
  ASSERT_TRUE(store.torn());
  EXPECT_TRUE(store.RotateIfDue().has_value());
  EXPECT_EQ(store.end().segment, 0U);
  files_.sync_error = files_.truncate_error = 0;
  Append(store, 1);
  ASSERT_TRUE(store.RotateIfDue().has_value());
  EXPECT_EQ(store.end().segment, 3U);
  EXPECT_THAT(Verify().faults, IsEmpty());
}

// Whoever has seen a checkpoint can count on a start that knows of it.
TEST_F(LogStart, NoCheckpointIsShownThatTheStateFolderDoesNotHave) {
  const ScratchFolder state;
  const UniqueFd gone(::open(state.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  fs::remove(state.path());
  MakeLog();
  const std::string before = ReadText(Newest());
  const std::string listed = ReadText(File(0, kCheckpointsSuffix));
  settings_.state_directory = gone.get();
  LogStore store = Open();
  Append(store, 3);
  EXPECT_FALSE(store.Sign().has_value());
  EXPECT_EQ(ReadText(Newest()), before);
  EXPECT_EQ(ReadText(File(0, kCheckpointsSuffix)), listed);
  EXPECT_EQ(store.signed_records(), 3U);
}

}  // namespace
}  // namespace tidewaiter::audit
