// One way to tamper with a copy of a log per test: each is found, and named for what it is.
#include "audit/verifier.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Line(std::uint64_t index, const std::string& what = "run.denied") {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":")" + what + "\"}";
}

class VerifierTest : public ::testing::Test {
 protected:
  // A log of 30 records in three segments of ten, with a checkpoint behind every fifth.
  void SetUp() override { Write(30); }

  void Write(std::uint64_t records) {
    StoreSettings settings = testing::AuditStore();
    settings.checkpoint_records = 5;
    settings.segment_bytes = 10 * (Line(10).size() + 1) - 20;
    auto store = LogStore::Open(directory_.get(), settings, FileOperations::System());
    ASSERT_TRUE(store.has_value()) << store.error().message;
    while (store->end().next_index < records) {
      ASSERT_TRUE(store->Append(Line(store->end().next_index) + "\n").has_value());
      if (store->end().next_index % 5 != 0) continue;
      ASSERT_TRUE(store->Sign().has_value());
      if (store->end().next_index < records) {
        ASSERT_TRUE(store->RotateIfDue().has_value());
      }
    }
  }

  [[nodiscard]] UniqueFd Directory() const {
    return UniqueFd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  [[nodiscard]] std::string NewestCheckpoint() const {
    return ReadText(folder_.File(kCheckpointName));
  }

  Verdict Verify(const std::vector<OutsideCheckpoint>& checkpoints = {}) const {
    auto verdict = VerifyLog(Directory(),
                             {.key = testing::AuditKey()->verifier(), .checkpoints = checkpoints});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  // "kind record" of the first fault.
  std::string FirstFault(const std::vector<OutsideCheckpoint>& checkpoints = {}) const {
    const Verdict verdict = Verify(checkpoints);
    if (verdict.Holds()) return "none";
    const Fault& fault = verdict.faults.front();
    EXPECT_FALSE(fault.message.empty());
    return std::string(ToString(fault.kind)) + ' ' + std::to_string(fault.record);
  }

  [[nodiscard]] std::vector<std::string> Lines(std::uint64_t first) const {
    return ReadLines(File(first, kLinesSuffix));
  }
  void SetLines(std::uint64_t first, const std::vector<std::string>& lines) const {
    std::ofstream file(File(first, kLinesSuffix), std::ios::binary | std::ios::trunc);
    for (const std::string& line : lines) file << line << '\n';
  }
  // As one would who knows how the files belong together, without the key.
  void RemoveHashes() const {
    for (const std::uint64_t first : {0U, 10U, 20U}) {
      std::filesystem::remove(File(first, kHashesSuffix));
    }
  }

  // Takes everything out of the folder.
  void Empty() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove(entry.path());
    }
  }

  ScratchFolder folder_;
  const UniqueFd directory_ = Directory();
};

TEST_F(VerifierTest, AnUntouchedLogHolds) {
  const Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_THAT(verdict.remarks, IsEmpty());
  EXPECT_EQ(verdict.first_record, 0U);
  EXPECT_EQ(verdict.next_record, 30U);
  EXPECT_EQ(verdict.signed_records, 30U);
  EXPECT_EQ(verdict.segments, 3U);
  EXPECT_EQ(verdict.newest, NewestCheckpoint());
}

TEST_F(VerifierTest, RecordsSinceTheNewestCheckpointAreNamedAsUnproven) {
  AppendText(File(20, kLinesSuffix), Line(30) + "\n");
  const Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  ASSERT_THAT(verdict.remarks, SizeIs(1));
  EXPECT_THAT(verdict.remarks[0], HasSubstr("1 record(s) from 30 on"));
}

// Every byte of every line, each changed alone.
TEST_F(VerifierTest, AChangedByteIsFoundWhateverItIs) {
  for (const std::uint64_t first : {0U, 10U, 20U}) {
    const std::string path = File(first, kLinesSuffix);
    const std::string whole = ReadText(path);
    std::uint64_t record = first;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      std::ofstream(path, std::ios::binary | std::ios::trunc) << changed;
      const Verdict verdict = Verify();
      ASSERT_FALSE(verdict.Holds()) << "byte " << i << " of " << path;
      ASSERT_EQ(verdict.faults.front().record, record)
          << "byte " << i << " of " << path << ": " << verdict.faults.front().message;
      if (whole[i] == '\n') ++record;
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole;
  }
}

TEST_F(VerifierTest, AChangedRecordIsNamed) {
  auto lines = Lines(10);
  lines[3] = Line(13, "run.admitted");
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "changed 13");
}

TEST_F(VerifierTest, AChangedRecordBehindTheNewestCheckpointIsNamedByItsHash) {
  Write(33);
  auto lines = Lines(20);
  lines[11] = Line(31, "run.admitted");
  SetLines(20, lines);
  EXPECT_EQ(FirstFault(), "changed 31");
}

TEST_F(VerifierTest, WithoutHashesAChangedRecordIsNamedWithItsNeighbours) {
  RemoveHashes();
  auto lines = Lines(10);
  lines[3] = Line(13, "run.admitted");
  SetLines(10, lines);
  const Verdict verdict = Verify();
  ASSERT_THAT(verdict.faults, SizeIs(1));
  EXPECT_EQ(verdict.faults[0].record, 10U);
  EXPECT_EQ(verdict.faults[0].count, 5U);
}

TEST_F(VerifierTest, ARecordThatIsTakenOutIsNamed) {
  auto lines = Lines(10);
  lines.erase(lines.begin() + 3);
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "missing 13");
}

TEST_F(VerifierTest, ARecordThatIsTakenOutIsNamedWhereTheOthersAreNumberedAnew) {
  std::vector<std::string> lines = Lines(0);
  for (std::uint64_t i = 0; i < lines.size(); ++i) lines[i] = Line(i, "t" + std::to_string(i));
  Empty();
  // Records that only differ in their number would be the same ones again.
  {
    auto store = LogStore::Open(directory_.get(), testing::AuditStore(), FileOperations::System());
    for (const std::string& line : lines) ASSERT_TRUE(store->Append(line + "\n").has_value());
    ASSERT_TRUE(store->Sign().has_value());
  }
  std::vector<std::string> without;
  for (std::uint64_t i = 0; i < lines.size(); ++i) {
    if (i != 3) without.push_back(Line(without.size(), "t" + std::to_string(i)));
  }
  SetLines(0, without);
  EXPECT_EQ(FirstFault(), "changed 3");
}

TEST_F(VerifierTest, ARecordThatIsPutInIsNamed) {
  auto lines = Lines(10);
  lines.insert(lines.begin() + 3, Line(13, "run.admitted"));
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "inserted 13");
}

TEST_F(VerifierTest, ARepeatedRecordIsNamed) {
  auto lines = Lines(10);
  lines.insert(lines.begin() + 4, lines[3]);
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "inserted 14");
}

TEST_F(VerifierTest, RecordsThatChangedPlacesAreNamed) {
  auto lines = Lines(10);
  std::swap(lines[3], lines[4]);
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "reordered 13");
}

TEST_F(VerifierTest, ARecordBehindTheEndOfASegmentIsNamed) {
  AppendText(File(10, kLinesSuffix), Line(20) + "\n");
  EXPECT_EQ(FirstFault(), "inserted 20");
}

TEST_F(VerifierTest, BytesBehindTheEndOfASegmentAreNamed) {
  AppendText(File(10, kLinesSuffix), "x");
  EXPECT_EQ(FirstFault(), "inserted 20");
}

TEST_F(VerifierTest, ASegmentThatIsCutIsNamed) {
  auto lines = Lines(10);
  lines.resize(7);
  SetLines(10, lines);
  EXPECT_EQ(FirstFault(), "missing 17");
}

TEST_F(VerifierTest, AMissingSegmentIsNamed) {
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    std::filesystem::remove(File(10, suffix));
  }
  EXPECT_EQ(FirstFault(), "missing 10");
}

TEST_F(VerifierTest, ASegmentOfAnotherPlaceIsNamed) {
  std::filesystem::copy_file(File(0, kLinesSuffix), File(10, kLinesSuffix),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(FirstFault(), "inserted 10");
}

TEST_F(VerifierTest, ATruncatedLogIsFoundByItsOwnCheckpoints) {
  auto lines = Lines(20);
  lines.resize(7);
  SetLines(20, lines);
  EXPECT_EQ(FirstFault(), "truncated 27");
}

// All of it, checkpoints included, is as it once was: nothing in the folder can tell.
TEST_F(VerifierTest, AnOldCopyIsFoundByANewerCheckpointFromElsewhere) {
  const std::filesystem::path old = folder_.path() + "-old";
  std::filesystem::remove_all(old);
  std::filesystem::copy(folder_.path(), old, std::filesystem::copy_options::recursive);
  Write(40);
  const std::string newer = NewestCheckpoint();
  Empty();
  std::filesystem::copy(old, folder_.path(), std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(old);
  EXPECT_EQ(FirstFault(), "none");
  EXPECT_EQ(FirstFault({{.name = "kept", .bytes = newer}}), "truncated 30");
}

TEST_F(VerifierTest, ALogThatTheKeysHolderWroteAnewIsFoundByACheckpointFromElsewhere) {
  const std::string kept = NewestCheckpoint();
  Empty();
  auto store = LogStore::Open(directory_.get(), testing::AuditStore(), FileOperations::System());
  for (std::uint64_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(store->Append(Line(i, i == 7 ? "other" : "run.denied") + "\n").has_value());
  }
  ASSERT_TRUE(store->Sign().has_value());
  EXPECT_EQ(FirstFault(), "none");
  EXPECT_EQ(FirstFault({{.name = "kept", .bytes = kept}}), "forked 0");
}

TEST_F(VerifierTest, ALogThatAnotherKeySignedIsFound) {
  Empty();
  StoreSettings settings;
  settings.key = std::make_shared<const SigningKey>(
      *SigningKey::Generate(testing::AuditKey()->verifier().name()));
  auto store = LogStore::Open(directory_.get(), settings, FileOperations::System());
  ASSERT_TRUE(store->Append(Line(0) + "\n").has_value());
  ASSERT_TRUE(store->Sign().has_value());
  const Verdict verdict = Verify();
  ASSERT_FALSE(verdict.Holds());
  EXPECT_EQ(verdict.faults[0].kind, FaultKind::kCheckpoint);
  EXPECT_THAT(verdict.faults[0].message, HasSubstr("not signed by the key"));
}

TEST_F(VerifierTest, AChangedCheckpointIsFound) {
  std::string notes = ReadText(File(10, kCheckpointsSuffix));
  const std::size_t at = notes.find("\n15\n");
  ASSERT_NE(at, std::string::npos);
  notes[at + 2] = '4';
  std::ofstream(File(10, kCheckpointsSuffix), std::ios::binary | std::ios::trunc) << notes;
  EXPECT_EQ(FirstFault(), "checkpoint 10");
}

TEST_F(VerifierTest, RemovedCheckpointsAreFound) {
  std::filesystem::remove(File(10, kCheckpointsSuffix));
  EXPECT_EQ(FirstFault(), "checkpoint 10");
}

TEST_F(VerifierTest, DamagedHashesAreNoFault) {
  std::string hashes = ReadText(File(10, kHashesSuffix));
  hashes[5] = static_cast<char>(hashes[5] ^ 1);
  std::ofstream(File(10, kHashesSuffix), std::ios::binary | std::ios::trunc) << hashes;
  const Verdict verdict = Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  ASSERT_THAT(verdict.remarks, SizeIs(1));
  EXPECT_THAT(verdict.remarks[0], HasSubstr("is damaged"));
}

TEST_F(VerifierTest, AFolderWithoutALogIsAFault) {
  Empty();
  EXPECT_FALSE(Verify().Holds());
}

}  // namespace
}  // namespace tidewaiter::audit
