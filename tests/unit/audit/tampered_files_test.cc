// Each way to tamper with what stands beside the records of a copy (their checkpoints, hashes and
// compressed files), and with what is believed about records that have been removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "audit/segment_packer.h"
#include "audit/signed_note.h"
#include "tests/unit/audit/tampered_log.h"

namespace tidewaiter::audit {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class TamperedFiles : public ::testing::Test {
 protected:
  // A record in a segment, behind its hash.
  void Forge(std::uint64_t record) const {
    const std::uint64_t first = record / 10 * 10;
    auto lines = log_.Lines(first);
    std::string& line = lines[record - first];
    line.replace(line.find("record"), 6, "forged");
    log_.SetLines(first, lines);
  }
  void ForEachFlip(const std::string& path, const std::function<void(std::size_t at)>& check) {
    const std::string whole = ReadText(path);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      TamperedLog::Write(path, changed);
      check(at);
    }
    TamperedLog::Write(path, whole);
  }

  const TamperedLog log_;
};

TEST_F(TamperedFiles, AnyByteOfASegmentsCheckpointsIsFound) {
  const Verdict whole = log_.Verify();
  const std::size_t last_note =
      ReadText(log_.File(10, kCheckpointsSuffix)).find(log_.Notes(10).back());
  ForEachFlip(log_.File(10, kCheckpointsSuffix), [&](std::size_t at) {
    const Verdict verdict = log_.Verify();
    if (verdict.Holds()) {
      // As a crash leaves the last one: torn, and gone with it is nothing that the next segment's
      // first does not say.
      EXPECT_GT(at, last_note) << "byte " << at;
      EXPECT_EQ(verdict.checkpoints, whole.checkpoints - 1) << "byte " << at;
      EXPECT_EQ(verdict.signed_records, whole.signed_records) << "byte " << at;
      return;
    }
    EXPECT_EQ(verdict.faults[0].kind, FaultKind::kCheckpoint) << "byte " << at;
    EXPECT_EQ(verdict.faults[0].file, SegmentFileName(10, kCheckpointsSuffix)) << "byte " << at;
  });
}

TEST_F(TamperedFiles, AnyByteOfTheNewestCheckpointIsFound) {
  ForEachFlip(log_.Newest(), [&](std::size_t at) {
    const auto faults = log_.Verify().faults;
    ASSERT_THAT(faults, SizeIs(1)) << "byte " << at;
    EXPECT_EQ(faults[0].kind, FaultKind::kCheckpoint) << "byte " << at;
    EXPECT_EQ(faults[0].file, kCheckpointName) << "byte " << at;
  });
}

// They follow from the lines: without them, or with wrong ones, nothing else is said of the log.
TEST_F(TamperedFiles, AnyByteOfTheHashesIsNoFault) {
  ForEachFlip(log_.File(10, kHashesSuffix), [&](std::size_t at) {
    EXPECT_THAT(log_.Verify().faults, IsEmpty()) << "byte " << at;
  });
}

TEST_F(TamperedFiles, HashesThatWereMadeToFitDoNotHideAChangedRecord) {
  Forge(13);
  TreeHasher hasher;
  std::string hashes = ReadText(log_.File(10, kHashesSuffix));
  CompactRange tree;
  std::string fitting;
  for (std::uint64_t first : {0U, 10U}) {
    fitting.clear();
    for (const std::string& line : log_.Lines(first)) {
      tree.Append(hasher, hasher.Leaf(line), fitting);
    }
  }
  ASSERT_EQ(fitting.size(), hashes.size());
  TamperedLog::Write(log_.File(10, kHashesSuffix), fitting);
  const auto faults = log_.Verify().faults;
  ASSERT_THAT(faults, SizeIs(1));
  EXPECT_EQ(faults[0].kind, FaultKind::kChanged);
  EXPECT_EQ(faults[0].record, 10U);
  EXPECT_EQ(faults[0].count, 5U) << "up to the first checkpoint that does not hold";
}

TEST_F(TamperedFiles, CheckpointsInAnotherOrderAreAFault) {
  auto notes = log_.Notes(10);
  ASSERT_GE(notes.size(), 3U);
  std::swap(notes[1], notes[2]);
  log_.SetNotes(10, notes);
  const auto faults = log_.Verify().faults;
  ASSERT_THAT(faults, SizeIs(1));
  EXPECT_EQ(faults[0].kind, FaultKind::kCheckpoint);
  EXPECT_THAT(faults[0].message, HasSubstr("stands behind that of"));
}

TEST_F(TamperedFiles, CheckpointsOfAnotherSegmentAreAFault) {
  std::filesystem::copy_file(log_.File(0, kCheckpointsSuffix), log_.File(10, kCheckpointsSuffix),
                             std::filesystem::copy_options::overwrite_existing);
  const auto faults = log_.Verify().faults;
  ASSERT_FALSE(faults.empty());
  EXPECT_EQ(faults[0].kind, FaultKind::kCheckpoint);
  EXPECT_THAT(faults[0].message, HasSubstr("does not begin where its name says"));
}

TEST_F(TamperedFiles, AForeignTextAmongTheCheckpointsIsAFault) {
  AppendText(log_.File(10, kCheckpointsSuffix), '\n' + std::string(2 * kMaxNoteBytes, 'x') + '\n');
  EXPECT_THAT(log_.FirstFault(), StartsWith("checkpoint"));
}

TEST_F(TamperedFiles, MoreFaultsThanAreKeptAreSaid) {
  std::string junk;
  for (std::size_t i = 0; i <= kMaxFaults; ++i) junk += "\nx\n\ny\n";
  AppendText(log_.File(10, kCheckpointsSuffix), junk);
  const Verdict verdict = log_.Verify();
  EXPECT_THAT(verdict.faults, SizeIs(kMaxFaults));
  EXPECT_TRUE(verdict.more_faults);
}

TEST_F(TamperedFiles, WithoutItsCheckpointsTheFirstSegmentsRecordsAreCheckedAllTheSame) {
  std::filesystem::remove(log_.File(0, kCheckpointsSuffix));
  Forge(3);
  EXPECT_THAT(log_.Faults(), Contains("checkpoint 0"));
  EXPECT_THAT(log_.Faults(), Contains("changed 3"));
}

TEST_F(TamperedFiles, WithoutItsCheckpointsALaterSegmentsRecordsAreCheckedAllTheSame) {
  std::filesystem::remove(log_.File(10, kCheckpointsSuffix));
  Forge(13);
  EXPECT_THAT(log_.Faults(), Contains("checkpoint 10"));
  EXPECT_THAT(log_.Faults(), Contains("changed 13"));
}

TEST_F(TamperedFiles, ANewestCheckpointThatIsALinkIsAFault) {
  std::filesystem::rename(log_.Newest(), log_.path() + "/elsewhere");
  std::filesystem::create_symlink(log_.path() + "/elsewhere", log_.Newest());
  const auto faults = log_.Verify().faults;
  ASSERT_THAT(faults, SizeIs(1));
  EXPECT_EQ(faults[0].kind, FaultKind::kCheckpoint);
}

TEST_F(TamperedFiles, WhatIsNoFileInPlaceOfTheLinesIsNamed) {
  std::filesystem::remove(log_.File(10, kLinesSuffix));
  std::filesystem::create_directory(log_.File(10, kLinesSuffix));
  EXPECT_EQ(log_.FirstFault(), "missing 10");
  std::filesystem::remove(log_.File(10, kLinesSuffix));
  ASSERT_EQ(::mkfifo(log_.File(10, kLinesSuffix).c_str(), 0600), 0);
  EXPECT_EQ(log_.FirstFault(), "missing 10");
}

TEST_F(TamperedFiles, AnyByteOfACompressedSegmentIsFoundOrChangesNoRecord) {
  ASSERT_TRUE(PackSegment(log_.Directory().get(), 10, [] { return false; }).has_value());
  std::size_t found = 0;
  ForEachFlip(log_.File(10, kPackedSuffix), [&](std::size_t at) {
    const auto faults = log_.Verify().faults;
    if (faults.empty()) return;  // the frame's header has bits that say nothing
    ++found;
    EXPECT_GE(faults[0].record, 10U) << "byte " << at;
    EXPECT_LE(faults[0].record, 20U) << "byte " << at;
  });
  EXPECT_GT(found, std::filesystem::file_size(log_.File(10, kPackedSuffix)) * 9 / 10);
}

// All of it by somebody who has a key, though not that one: the lines hold, no checkpoint does.
TEST_F(TamperedFiles, ALogThatAnotherKeySignedHasNoCheckpointThatIsBelieved) {
  for (const char* name : {"tidewaiter/test", "tidewaiter/other"}) {
    const TamperedLog forged(TamperedLog::Line,
                             std::make_shared<const SigningKey>(*SigningKey::Generate(name)));
    EXPECT_EQ(ReadText(forged.File(10, kLinesSuffix)), ReadText(log_.File(10, kLinesSuffix)));
    const auto faults = forged.Faults();
    ASSERT_FALSE(faults.empty());
    EXPECT_THAT(faults, Each(StartsWith("checkpoint")));
    EXPECT_EQ(forged.Verify().signed_records, 0U);
  }
}

TEST_F(TamperedFiles, ASegmentThatAnotherKeySignedIsNamed) {
  const TamperedLog forged(TamperedLog::Line, std::make_shared<const SigningKey>(
                                                  *SigningKey::Generate("tidewaiter/test")));
  std::filesystem::copy_file(forged.File(10, kCheckpointsSuffix), log_.File(10, kCheckpointsSuffix),
                             std::filesystem::copy_options::overwrite_existing);
  const auto faults = log_.Verify().faults;
  ASSERT_FALSE(faults.empty());
  EXPECT_EQ(faults[0].file, SegmentFileName(10, kCheckpointsSuffix));
  EXPECT_THAT(faults[0].message, HasSubstr("not signed by the key"));
}

// Every older state of a copy, as a checkpoint of each later one finds it.
TEST_F(TamperedFiles, ARollbackIsFoundByEveryNewerCheckpointAndNoOlderOneIsAFault) {
  std::vector<std::string> notes;
  for (const std::uint64_t first : {0U, 10U, 20U}) {
    for (const std::string& note : log_.Notes(first)) notes.push_back(note);
  }
  log_.RemoveSegment(20);
  std::filesystem::remove(log_.Newest());
  ASSERT_EQ(log_.FirstFault(), "none") << "nothing in the folder can tell";
  for (const std::string& note : notes) {
    const std::uint64_t size = std::stoull(note.substr(note.find('\n') + 1));
    EXPECT_EQ(log_.FirstFault({{.name = "kept", .bytes = note}}),
              size > 20 ? "truncated 20" : "none")
        << size;
  }
}

// A log that says itself that its first ten records have been removed, signed for or not.
class RemovedRecords : public ::testing::Test {
 protected:
  static std::string Removal(std::uint64_t index, const std::string& type) {
    return R"({"index":)" + std::to_string(index) +
           R"(,"log":{"removed_to":10},"time":"t","type":")" + type + "\"}";
  }
  static TamperedLog::MakeLine With(const std::string& type) {
    return [type](std::uint64_t index) {
      return index == 12 ? Removal(index, type) : TamperedLog::Line(index);
    };
  }
};

TEST_F(RemovedRecords, AreNotMissingWhereARecordThatIsSignedForSaysSo) {
  const TamperedLog log(With("audit.removed"));
  log.RemoveSegment(0);
  const Verdict verdict = log.Verify();
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_THAT(verdict.remarks, IsEmpty());
  EXPECT_EQ(verdict.first_record, 10U);
}

TEST_F(RemovedRecords, AreMissingWhereARecordOfAnotherTypeSaysSo) {
  const TamperedLog log(With("run.denied"));
  log.RemoveSegment(0);
  EXPECT_THAT(log.Faults(), ElementsAre("missing 0"));
}

TEST_F(RemovedRecords, AreMissingWhereTheRecordThatSaysSoIsNotSignedFor) {
  const TamperedLog log;
  log.RemoveSegment(0);
  AppendText(log.File(20, kLinesSuffix), Removal(30, "audit.removed") + '\n');
  EXPECT_THAT(log.Faults(), ElementsAre("missing 0"));
}

TEST_F(RemovedRecords, AreMissingBeyondWhatWasRemoved) {
  const TamperedLog log([](std::uint64_t index) {
    return index == 22 ? Removal(index, "audit.removed") : TamperedLog::Line(index);
  });
  log.RemoveSegment(0);
  log.RemoveSegment(10);
  EXPECT_THAT(log.Faults(), ElementsAre("missing 10"));
}

TEST_F(RemovedRecords, ACheckpointOfThemCannotBeComparedAndThatIsSaid) {
  const TamperedLog log(With("audit.removed"));
  const std::string kept = log.Notes(0).at(1);
  ASSERT_THAT(kept, HasSubstr("\n5\n"));
  log.RemoveSegment(0);
  const Verdict verdict = log.Verify({{.name = "kept", .bytes = kept}});
  EXPECT_THAT(verdict.faults, IsEmpty());
  ASSERT_THAT(verdict.remarks, SizeIs(1));
  EXPECT_THAT(verdict.remarks[0], HasSubstr("a checkpoint of 5 records cannot be compared"));
}

TEST_F(RemovedRecords, ACheckpointOfAllOfThemIsComparedWithWhatTheLogGoesOnFrom) {
  const TamperedLog log(With("audit.removed"));
  const TamperedLog other([](std::uint64_t index) {
    return index == 3 ? Removal(index, "other") : TamperedLog::Line(index);
  });
  const std::string kept = log.Notes(10).at(0);
  const std::string forked = other.Notes(10).at(0);
  log.RemoveSegment(0);
  EXPECT_THAT(log.Faults({{.name = "kept", .bytes = kept}}), IsEmpty());
  EXPECT_THAT(log.Faults({{.name = "kept", .bytes = forked}}), ElementsAre("forked 0"));
}

}  // namespace
}  // namespace tidewaiter::audit
