// A log that changes its key: whoever has the former or the new one verifies all of it, wherever a
// crash cuts the hand-over short; and no key comes into office that no believed key vouches for.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/log.h"
#include "audit/log_store.h"
#include "audit/public_keys.h"
#include "audit/segment_name.h"
#include "audit/signed_note.h"
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
using ::testing::SizeIs;
using KeyPtr = std::shared_ptr<const SigningKey>;

std::string Line(std::uint64_t index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})" + "\n";
}

std::string HandOverLine(std::uint64_t index, const KeyPtr& former, const KeyPtr& next) {
  return R"({"index":)" + std::to_string(index) + R"(,"log":{"cause":"c","former_key":")" +
         former->verifier().ToString() + R"(","key":")" + next->verifier().ToString() +
         R"("},"time":"t","type":"audit.key_changed"})" + "\n";
}

UniqueFd OpenFolder(const ScratchFolder& folder) {
  return UniqueFd(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class KeyChangeTest : public ::testing::Test {
 protected:
  Result<LogStore> TryOpen(const KeyPtr& key, const KeyPtr& successor = nullptr) {
    StoreSettings settings;
    settings.key = key;
    settings.successor = successor;
    settings.checkpoint_records = 2;
    settings.state_directory = state_directory_.get();
    return LogStore::Open(directory_.get(), settings, files_);
  }
  LogStore Open(const KeyPtr& key, const KeyPtr& successor = nullptr) {
    auto store = TryOpen(key, successor);
    if (!store) ADD_FAILURE() << store.error().message;
    return *std::move(store);
  }
  static void Append(LogStore& store, int records) {
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(store.Append(Line(store.end().next_index)).has_value());
      ASSERT_TRUE(store.Sign().has_value());
    }
  }
  static void Tell(LogStore& store, const KeyPtr& former, const KeyPtr& next) {
    ASSERT_TRUE(store.Append(HandOverLine(store.end().next_index, former, next)).has_value());
  }
  static void HandOver(LogStore& store, const KeyPtr& former, const KeyPtr& next) {
    Tell(store, former, next);
    const auto done = store.HandOver(next);
    ASSERT_TRUE(done.has_value()) << done.error().message;
    store.FinishHandOver();
  }
  // Four records under the first key, the hand-over, four under the second.
  void WriteLog() {
    LogStore store = Open(first_);
    Append(store, 4);
    HandOver(store, first_, second_);
    Append(store, 4);
  }

  Verdict Verify(const KeyPtr& key, const std::vector<OutsideCheckpoint>& checkpoints = {}) const {
    auto verdict =
        VerifyLog(OpenFolder(folder_), {.key = key->verifier(), .checkpoints = checkpoints});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  // With either key, to the last record.
  void ExpectWhole(const std::vector<KeyPtr>& keys) const {
    for (const KeyPtr& key : keys) {
      const Verdict verdict = Verify(key);
      EXPECT_TRUE(verdict.Holds()) << verdict.faults.front().message;
      EXPECT_EQ(verdict.signed_records, verdict.next_record);
    }
  }
  [[nodiscard]] std::vector<std::string> SignersOf(const std::string& bytes) const {
    const auto note = SignedNote::Parse(bytes);
    if (!note) return {note.error().message};
    std::vector<std::string> signers;
    if (note->IsSignedBy(first_->verifier())) signers.emplace_back("first");
    if (note->IsSignedBy(second_->verifier())) signers.emplace_back("second");
    return signers;
  }
  // Takes the signatures of the second key out of these files.
  void StealFrom(const std::vector<std::string>& files) const {
    for (const std::string& file : files) {
      std::string text;
      for (const std::string& line : ReadLines(file)) {
        if (!IsBySecond(line)) text += line + '\n';
      }
      std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    }
  }
  [[nodiscard]] bool IsBySecond(const std::string& line) const {
    const auto note = SignedNote::Parse("any\n\n" + line + "\n");
    return note && note->LastSigner(second_->verifier().name()) == second_->verifier().id();
  }
  // As retention removes it, once a record says so.
  void Remove(std::uint64_t first) const {
    for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
      std::filesystem::remove(File(first, suffix));
    }
  }
  static void SayRemoved(LogStore& store, std::uint64_t kept_from) {
    ASSERT_TRUE(store
                    .Append(R"({"index":)" + std::to_string(store.end().next_index) +
                            R"(,"log":{"cause":"c","removed_to":)" + std::to_string(kept_from) +
                            R"(},"time":"t","type":"audit.removed"})" + "\n")
                    .has_value());
    ASSERT_TRUE(store.Sign().has_value());
  }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  [[nodiscard]] std::string Newest() const { return ReadText(folder_.File(kCheckpointName)); }

  ScratchFolder folder_;
  ScratchFolder state_;
  const UniqueFd directory_ = OpenFolder(folder_);
  const UniqueFd state_directory_ = OpenFolder(state_);
  const KeyPtr first_ = testing::NewAuditKey();
  const KeyPtr second_ = testing::NewAuditKey();
  FaultyFiles files_;
};

TEST_F(KeyChangeTest, WhoeverHasTheFormerKeyIsLedToTheNewOne) {
  WriteLog();
  const Verdict verdict = Verify(first_);
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_EQ(verdict.signed_records, 9U);
  ASSERT_THAT(verdict.remarks, SizeIs(1));
  EXPECT_THAT(verdict.remarks[0], HasSubstr(second_->verifier().ToString()));
}

TEST_F(KeyChangeTest, WhoeverHasTheFormerKeyNeedsNothingElse) {
  WriteLog();
  std::filesystem::remove(folder_.File(kPublicKeyName));
  ExpectWhole({first_});
}

TEST_F(KeyChangeTest, WhoeverHasTheNewKeyVerifiesAll) {
  WriteLog();
  const Verdict verdict = Verify(second_);
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_THAT(verdict.remarks, IsEmpty());
  EXPECT_EQ(verdict.signed_records, 9U);
}

TEST_F(KeyChangeTest, BothSignTheHandOverAndTheNewOneAloneFromThereOn) {
  LogStore store = Open(first_);
  Append(store, 4);
  Tell(store, first_, second_);
  ASSERT_TRUE(store.HandOver(second_).has_value());
  EXPECT_THAT(SignersOf(Newest()), ElementsAre("first", "second"));
  EXPECT_THAT(SignersOf(ReadText(File(5, kCheckpointsSuffix))), ElementsAre("first", "second"));
  EXPECT_THAT(SignersOf(ReadText(state_.File(kRememberedName))), ElementsAre("first", "second"));
  EXPECT_EQ(store.public_key(), first_->verifier());
  Append(store, 1);
  EXPECT_THAT(SignersOf(Newest()), ElementsAre("first", "second"));
  store.FinishHandOver();
  EXPECT_EQ(store.public_key(), second_->verifier());
  Append(store, 1);
  EXPECT_THAT(SignersOf(Newest()), ElementsAre("second"));
}

TEST_F(KeyChangeTest, TheFolderNamesTheNewKeyAndBehindItTheFormer) {
  WriteLog();
  EXPECT_THAT(ReadPublicKeys(ReadText(folder_.File(kPublicKeyName))),
              ElementsAre(second_->verifier(), first_->verifier()));
  Open(second_);
  EXPECT_THAT(ReadPublicKeys(ReadText(folder_.File(kPublicKeyName))),
              ElementsAre(second_->verifier(), first_->verifier()));
}

TEST_F(KeyChangeTest, SeveralChangesAreFollowedFromEitherEnd) {
  WriteLog();
  const KeyPtr third = testing::NewAuditKey();
  LogStore store = Open(second_);
  HandOver(store, second_, third);
  Append(store, 3);
  ExpectWhole({first_, second_, third});
  EXPECT_THAT(Verify(first_).remarks.at(0), HasSubstr(third->verifier().ToString()));
}

// Wherever it is cut short, the key that is on disk then goes on, and brings it to its end.
TEST_F(KeyChangeTest, ACrashBeforeItsRecord) {
  { Append(*std::make_unique<LogStore>(Open(first_)), 3); }
  LogStore store = Open(first_, second_);
  Append(store, 1);
  ExpectWhole({first_});
  HandOver(store, first_, second_);
  Append(store, 1);
  ExpectWhole({first_, second_});
}

TEST_F(KeyChangeTest, ACrashBehindItsRecord) {
  {
    LogStore store = Open(first_);
    Append(store, 3);
    Tell(store, first_, second_);
    ASSERT_TRUE(store.Sign().has_value());
  }
  LogStore store = Open(first_, second_);
  Append(store, 3);
  ExpectWhole({first_});
  HandOver(store, first_, second_);
  Append(store, 3);
  ExpectWhole({first_, second_});
}

TEST_F(KeyChangeTest, ACrashBehindTheNextSegmentsBeginning) {
  {
    LogStore store = Open(first_);
    Append(store, 3);
    Tell(store, first_, second_);
    ASSERT_TRUE(store.HandOver(second_).has_value());
  }
  // As after a crash of power: whichever of the two keys the state folder has then.
  Open(second_);
  LogStore store = Open(first_, second_);
  Append(store, 3);
  ExpectWhole({first_, second_});
  HandOver(store, first_, second_);
  Append(store, 3);
  ExpectWhole({first_, second_});
}

TEST_F(KeyChangeTest, ANewKeyRemembersWhatTheFormerHasSignedFor) {
  {
    LogStore store = Open(first_);
    Append(store, 3);
    HandOver(store, first_, second_);
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    std::filesystem::remove(entry.path());
  }
  EXPECT_THAT(TryOpen(second_).error().message, HasSubstr("its key has signed for 4"));
}

TEST_F(KeyChangeTest, IsNotDoneBeforeTheNextSegmentsNameIsOnDisk) {
  LogStore store = Open(first_);
  Append(store, 3);
  Tell(store, first_, second_);
  files_.folder_sync_error = EIO;
  EXPECT_FALSE(store.HandOver(second_).has_value());
  files_.folder_sync_error = 0;
  Append(store, 1);
  EXPECT_THAT(SignersOf(Newest()), ElementsAre("first", "second"));
}

TEST_F(KeyChangeTest, TheFormerKeyAloneDoesNotGoOn) {
  WriteLog();
  EXPECT_THAT(TryOpen(first_).error().message, HasSubstr("was being handed over to the key"));
  StealFrom({File(5, kCheckpointsSuffix)});
  EXPECT_THAT(TryOpen(first_).error().message, HasSubstr("not signed by the key"));
}

// An older state folder: the log that would come of it neither key could verify.
TEST_F(KeyChangeTest, TheFormerKeyDoesNotGoOnWithoutTheOneThatSignsWithIt) {
  {
    LogStore store = Open(first_);
    Append(store, 3);
    Tell(store, first_, second_);
    ASSERT_TRUE(store.HandOver(second_).has_value());
  }
  EXPECT_THAT(TryOpen(first_).error().message, HasSubstr("was being handed over to the key"));
  EXPECT_THAT(TryOpen(first_, testing::NewAuditKey()).error().message,
              HasSubstr("was being handed over to the key"));
  for (const std::string& file : {state_.File(kRememberedName), folder_.File(kCheckpointName)}) {
    std::filesystem::remove(file);
    EXPECT_THAT(TryOpen(first_).error().message, HasSubstr("was being handed over to the key"));
  }
  EXPECT_TRUE(TryOpen(first_, second_).has_value());
}

// Who has got hold of the former key: what it signs after the hand-over proves nothing.
TEST_F(KeyChangeTest, TheFormerKeyProvesNothingMore) {
  std::string kept;
  {
    LogStore store = Open(first_);
    Append(store, 3);
    HandOver(store, first_, second_);
    Append(store, 1);
    kept = Newest();
  }
  // The thief takes the successor's signatures away; who has one of its checkpoints is not fooled.
  std::filesystem::remove(folder_.File(kCheckpointName));
  std::filesystem::remove(state_.File(kRememberedName));
  StealFrom({File(0, kCheckpointsSuffix), File(4, kCheckpointsSuffix)});
  {
    LogStore thief = Open(first_);
    Append(thief, 4);
  }
  const Verdict verdict = Verify(first_, {{"kept", kept}});
  EXPECT_EQ(verdict.signed_records, 5U);
  EXPECT_EQ(verdict.next_record, 9U);
  EXPECT_THAT(verdict.remarks, ::testing::Contains(HasSubstr("4 record(s) from 5 on")));
}

TEST_F(KeyChangeTest, TheFormerKeyProvesNothingMoreWhereTheSuccessorHasSigned) {
  {
    LogStore store = Open(first_);
    Append(store, 3);
    HandOver(store, first_, second_);
  }
  StealFrom(
      {folder_.File(kCheckpointName), state_.File(kRememberedName), File(4, kCheckpointsSuffix)});
  {
    LogStore thief = Open(first_);
    Append(thief, 3);
  }
  for (const KeyPtr& key : {first_, second_}) {
    const Verdict verdict = Verify(key);
    EXPECT_EQ(verdict.signed_records, 4U);
    EXPECT_EQ(verdict.next_record, 7U);
    EXPECT_THAT(verdict.remarks, ::testing::Contains(HasSubstr("3 record(s) from 4 on")));
  }
}

// A stranger's key, in every way in which a folder can name it.
TEST_F(KeyChangeTest, ARecordThatNobodySignedForHandsNothingOver) {
  const KeyPtr stranger = testing::NewAuditKey();
  { Append(*std::make_unique<LogStore>(Open(first_)), 4); }
  const std::string lines = ReadText(File(0, kLinesSuffix));
  CompactRange tree;
  TreeHasher hasher;
  AppendText(File(0, kLinesSuffix), HandOverLine(4, first_, stranger));
  for (const std::string& line : ReadLines(File(0, kLinesSuffix))) {
    tree.Append(hasher, hasher.Leaf(line));
  }
  const Checkpoint forged = Checkpoint::WithEdge("tidewaiter/test", tree);
  const std::string note = SignedNote::Sign(forged.ToString(), {stranger.get()})->ToString();
  AppendText(File(0, kCheckpointsSuffix), "\n" + note);
  EXPECT_THAT(Verify(first_).faults.at(0).message, HasSubstr("not signed by the key"));
  AppendText(folder_.File(kPublicKeyName), stranger->verifier().ToString() + "\n");
  const Verdict verdict = Verify(first_);
  ASSERT_FALSE(verdict.Holds());
  EXPECT_THAT(verdict.faults.front().message, HasSubstr(stranger->verifier().ToString()));
  EXPECT_EQ(verdict.signed_records, 4U);
}

TEST_F(KeyChangeTest, AChangeUnderTheFormerKeyIsFoundWithTheNewOne) {
  WriteLog();
  auto lines = ReadLines(File(0, kLinesSuffix));
  lines[2].replace(lines[2].find("denied"), 6, "passed");
  std::ofstream file(File(0, kLinesSuffix), std::ios::binary | std::ios::trunc);
  for (const std::string& line : lines) file << line << '\n';
  file.close();
  for (const KeyPtr& key : {first_, second_}) {
    const Verdict verdict = Verify(key);
    ASSERT_FALSE(verdict.Holds());
    EXPECT_EQ(verdict.faults.front().record, 2U) << verdict.faults.front().message;
  }
}

TEST_F(KeyChangeTest, FormerCheckpointsThatNobodyVouchesForAreAFault) {
  WriteLog();
  // The new key's holder has nothing but the folder's word for the former one.
  std::ofstream(folder_.File(kPublicKeyName)) << second_->verifier().ToString() << '\n';
  EXPECT_THAT(Verify(second_).faults.at(0).message, HasSubstr("not signed by the key"));
}

// Said under the first key, in a segment that ends before the second signs.
TEST_F(KeyChangeTest, ARemovalThatTheFormerKeySignedForCountsUnderTheNewOne) {
  const KeyPtr third = testing::NewAuditKey();
  LogStore store = Open(first_);
  Append(store, 3);
  HandOver(store, first_, second_);
  Append(store, 2);
  SayRemoved(store, 4);
  HandOver(store, second_, third);
  Append(store, 1);
  Remove(0);
  const Verdict verdict = Verify(third);
  EXPECT_THAT(verdict.faults, IsEmpty()) << verdict.faults.front().message;
  EXPECT_EQ(verdict.removed_to, 4U);
  // Its record is gone by which the first vouches for the second.
  EXPECT_THAT(Verify(second_).faults, IsEmpty());
  EXPECT_FALSE(Verify(first_).Holds());
}

TEST_F(KeyChangeTest, TheFormerKeyIsNamedAlsoWhereTheFolderHadForgottenIt) {
  LogStore store = Open(first_);
  Append(store, 3);
  std::filesystem::remove(folder_.File(kPublicKeyName));
  HandOver(store, first_, second_);
  Append(store, 1);
  ExpectWhole({first_, second_});
}

TEST_F(KeyChangeTest, AListOfKeysThatCannotBeReadIsNotWrittenOver) {
  WriteLog();
  const std::string keys = ReadText(folder_.File(kPublicKeyName));
  std::filesystem::permissions(folder_.File(kPublicKeyName), std::filesystem::perms(0666));
  Open(second_);
  EXPECT_EQ(ReadText(folder_.File(kPublicKeyName)), keys);
  LogSettings settings{.directory = folder_.path(), .broker_id = "b"};
  settings.store.key = second_;
  const auto log = Log::Open(std::move(settings));
  ASSERT_TRUE(log.has_value()) << log.error().message;
  const auto done = (*log)->HandOver(
      Record(), first_, [] { return Ok(); }, Deadline::After(std::chrono::seconds(60)));
  EXPECT_THAT(done.error().message, HasSubstr(kPublicKeyName));
}

TEST_F(KeyChangeTest, ALogIsNotHandedOverToItsOwnKey) {
  LogStore store = Open(first_);
  Append(store, 1);
  Tell(store, first_, first_);
  EXPECT_THAT(store.HandOver(first_).error().message, HasSubstr("it is under that key"));
}

TEST_F(KeyChangeTest, AFailedRotationIsForgottenOnceASegmentBegins) {
  StoreSettings settings;
  settings.key = first_;
  settings.segment_bytes = 1;
  auto store = LogStore::Open(directory_.get(), settings, files_);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  ASSERT_TRUE(store->Append(Line(0)).has_value());
  const std::string in_the_way = File(1, kCheckpointsSuffix) + ".new";
  std::filesystem::create_directory(in_the_way);
  ASSERT_FALSE(store->RotateIfDue().has_value());
  ASSERT_TRUE(store->rotation_failure().has_value());
  std::filesystem::remove(in_the_way);
  HandOver(*store, first_, second_);
  EXPECT_FALSE(store->rotation_failure().has_value());
}

TEST_F(KeyChangeTest, ALogHasNoMoreKeysThanCanBeVerified) {
  std::string keys;
  for (std::size_t i = 0; i < kMaxPublicKeys; ++i) {
    keys += SigningKey::Generate("tidewaiter/test")->verifier().ToString() + "\n";
  }
  { Open(first_); }
  std::ofstream(folder_.File(kPublicKeyName)) << keys;
  LogSettings settings{.directory = folder_.path(), .broker_id = "b"};
  settings.store.key = first_;
  const auto log = Log::Open(std::move(settings));
  ASSERT_TRUE(log.has_value()) << log.error().message;
  const auto done = (*log)->HandOver(
      Record(), second_, [] { return Ok(); }, Deadline::After(std::chrono::seconds(60)));
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, HasSubstr("begin a new log"));
  EXPECT_EQ((*log)->End().next_index, 0U);
}

TEST_F(KeyChangeTest, ACheckpointThatWasKeptElsewhereCountsUnderEitherKey) {
  std::string former;
  {
    LogStore store = Open(first_);
    Append(store, 4);
    former = Newest();
    HandOver(store, first_, second_);
    Append(store, 4);
  }
  const std::string newest = Newest();
  for (const KeyPtr& key : {first_, second_}) {
    for (const std::string& kept : {former, newest}) {
      EXPECT_THAT(Verify(key, {{"kept", kept}}).faults, IsEmpty());
    }
  }
  // The end is cut off, and what covered it; the hand-over is still there.
  std::ofstream(File(5, kLinesSuffix), std::ios::trunc) << Line(5);
  std::ofstream(folder_.File(kCheckpointName), std::ios::trunc) << former;
  const std::string notes = ReadText(File(5, kCheckpointsSuffix));
  std::ofstream(File(5, kCheckpointsSuffix), std::ios::trunc)
      << notes.substr(0, notes.find("\n\ntidewaiter/") + 1);
  for (const KeyPtr& key : {first_, second_}) {
    const Verdict verdict = Verify(key, {{"kept", newest}});
    ASSERT_FALSE(verdict.Holds());
    EXPECT_EQ(verdict.faults.front().kind, FaultKind::kTruncated) << verdict.faults.front().message;
  }
}

}  // namespace
}  // namespace tidewaiter::audit
