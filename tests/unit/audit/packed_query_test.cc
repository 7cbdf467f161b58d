// What is read of a log whose older segments are compressed is what was written to it, from
// wherever the reading begins.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "audit/prover.h"
#include "audit/query.h"
#include "audit/signed_checkpoint.h"
#include "audit/statistics.h"
#include "audit/tail.h"
#include "tests/support/packed_log.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::PackedLog;

constexpr std::uint64_t kAll = 1'000'000;

class PackedQuery : public ::testing::Test {
 protected:
  PackedQuery() {
    // Or the tests below would be about something else.
    EXPECT_FALSE(std::filesystem::exists(log_.File(0, kLinesSuffix)));
    EXPECT_FALSE(std::filesystem::exists(log_.File(4, kLinesSuffix)));
    EXPECT_TRUE(std::filesystem::exists(log_.File(8, kLinesSuffix)));
  }

  // The indexes that match; each line is the one that was written.
  std::vector<std::uint64_t> Ask(const Filter& filter, std::uint64_t from = 0,
                                 std::optional<LogEnd> end = {}) {
    RecordReader reader(log_.Directory(), from, end);
    std::vector<std::uint64_t> indexes;
    const auto summary = Query(reader, filter, kAll, [&](const ReadRecord& record) {
      EXPECT_EQ(record.line, PackedLog::Line(record.header->index));
      indexes.push_back(record.header->index);
      return true;
    });
    error_ = summary ? "" : summary.error().message;
    return indexes;
  }
  // That a reader could take for that record.
  static std::string ForgedLine(std::uint64_t index) {
    std::string line = PackedLog::Line(index) + '\n';
    return line.replace(line.find("test"), 4, "evil");
  }
  void Damage(std::uint64_t first, const std::function<void(std::string&)>& change) const {
    std::string bytes = ReadText(log_.File(first, kPackedSuffix));
    change(bytes);
    std::ofstream(log_.File(first, kPackedSuffix), std::ios::binary | std::ios::trunc) << bytes;
  }

  const PackedLog log_;
  std::string error_;
};

TEST_F(PackedQuery, GivesEveryRecordOnce) {
  EXPECT_THAT(Ask({}), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 0, log_.end()), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, ATimeThatBeginsWithinACompressedSegmentGoesOnIntoThePlainOne) {
  EXPECT_THAT(Ask({.since = Timestamp(hours(5))}), ElementsAre(5, 6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({.since = Timestamp(hours(5) + minutes(1))}), ElementsAre(6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, ATimeWithinOneCompressedSegment) {
  EXPECT_THAT(Ask({.since = Timestamp(hours(1)), .until = Timestamp(hours(3))}), ElementsAre(1, 2));
}

TEST_F(PackedQuery, ATimeOverTwoCompressedSegments) {
  EXPECT_THAT(Ask({.principal = "odd", .since = Timestamp(hours(2)), .until = Timestamp(hours(7))}),
              ElementsAre(3, 5));
}

TEST_F(PackedQuery, BeginsAmidACompressedSegment) {
  EXPECT_THAT(Ask({}, 3), ElementsAre(3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 4), ElementsAre(4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 6), ElementsAre(6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 6, log_.end()), ElementsAre(6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, TheLastThatMatchBeginWithinACompressedSegment) {
  const auto find = [this](const Filter& filter, std::uint64_t count) {
    RecordReader reader(log_.Directory(), 0, {});
    return FindLast(reader, filter, count).value();
  };
  EXPECT_EQ(find({}, 5), 6U);
  EXPECT_EQ(find({.principal = "odd"}, 3), 5U);
  EXPECT_EQ(find({.until = Timestamp(hours(3))}, 2), 1U);
}

// As a crash amid the compressing leaves it.
TEST_F(PackedQuery, WhereASegmentIsThereBothWaysItsRecordsAreGivenOnce) {
  AppendText(log_.File(4, kLinesSuffix), log_.Lines(4, 8));
  EXPECT_THAT(Ask({}, 2), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, WhatIsNotDurableYetIsNotGivenBehindTheCompressedOnes) {
  AppendText(log_.File(8, kLinesSuffix), PackedLog::Line(11) + '\n');
  EXPECT_THAT(Ask({}, 6, log_.end()), ElementsAre(6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 6), ElementsAre(6, 7, 8, 9, 10, 11));
}

TEST_F(PackedQuery, LinesBehindACompressedSegmentsLastRecordAreNobodys) {
  AppendText(log_.File(4, kLinesSuffix), log_.Lines(4, 8) + ForgedLine(8));
  std::filesystem::remove(log_.File(4, kPackedSuffix));
  log_.Pack(4);
  EXPECT_THAT(Ask({}, 6), ElementsAre(6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, AReaderGoesOnWhereItsSegmentAndTheNextAreCompressedMeanwhile) {
  AppendText(log_.File(0, kLinesSuffix), log_.Lines(0, 4));
  AppendText(log_.File(4, kLinesSuffix), log_.Lines(4, 8));
  std::filesystem::remove(log_.File(0, kPackedSuffix));
  std::filesystem::remove(log_.File(4, kPackedSuffix));
  RecordReader reader(log_.Directory(), 2, {});
  const auto next = [&reader] {
    const auto record = reader.Next();
    return record && *record ? std::optional((*record)->header->index) : std::nullopt;
  };
  EXPECT_EQ(next(), 2U);
  log_.Pack(0);
  log_.Pack(4);
  for (std::uint64_t index = 3; index < 11; ++index) EXPECT_EQ(next(), index);
  EXPECT_EQ(next(), std::nullopt);
}

TEST_F(PackedQuery, AReaderAtTheEndGoesOnWhereItsSegmentIsFullAndCompressedMeanwhile) {
  RecordReader reader(log_.Directory(), 10, {});
  ASSERT_EQ((*reader.Next())->header->index, 10U);
  ASSERT_FALSE(reader.Next().value().has_value());
  AppendText(log_.File(8, kLinesSuffix), PackedLog::Line(11) + '\n');
  AppendText(log_.File(12, kLinesSuffix), PackedLog::Line(12) + '\n');
  log_.Pack(8);
  EXPECT_EQ((*reader.Next())->line, PackedLog::Line(11));
  EXPECT_EQ((*reader.Next())->line, PackedLog::Line(12));
}

// Fewer records and no word would be an answer that nobody could tell from the truth.
TEST_F(PackedQuery, ACompressedSegmentThatIsCutIsAnError) {
  Damage(4, [](std::string& bytes) { bytes.resize(bytes.size() - 1); });
  Ask({.since = Timestamp(hours(5))});
  EXPECT_THAT(error_, HasSubstr("it ends amid a frame"));
}

TEST_F(PackedQuery, ACompressedSegmentWithAnyOtherByteIsAnErrorOrSaysTheSame) {
  const std::string whole = ReadText(log_.File(4, kPackedSuffix));
  std::size_t errors = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Damage(4, [&](std::string& bytes) {
      bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    });
    RecordReader reader(log_.Directory(), 4, {});
    std::string read;
    const auto summary = Query(reader, {}, 4, [&](const ReadRecord& record) {
      read.append(record.line) += '\n';
      return true;
    });
    // What comes before the checksum may have been given by then; of the last one of the segment
    // nothing is believed before the frame's end.
    const auto behind = reader.Next();
    if (!summary || !behind) ++errors;
    EXPECT_TRUE(!summary || !behind || read == log_.Lines(4, 8)) << "byte " << i;
  }
  EXPECT_GT(errors, whole.size() / 2);
}

TEST_F(PackedQuery, LinesBehindTheFrameOfACompressedSegmentAreRead) {
  // A second frame, as `cat` of two files makes it: RFC 8878 section 3.1 has the contents behind
  // one another.
  std::string both = ReadText(log_.File(0, kPackedSuffix));
  both += ReadText(log_.File(4, kPackedSuffix));
  std::ofstream(log_.File(0, kPackedSuffix), std::ios::binary | std::ios::trunc) << both;
  std::filesystem::remove(log_.File(4, kPackedSuffix));
  EXPECT_THAT(Ask({}, 2), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(PackedQuery, StatisticsCountTheRecordsOfBothKindsAndTheFilesAsTheyAre) {
  const auto sums = CollectStatistics(log_.Directory(), {.since = Timestamp(hours(5))});
  ASSERT_TRUE(sums.has_value()) << sums.error().message;
  EXPECT_EQ(sums->records, 6U);
  EXPECT_EQ(sums->denied, 6U);
  EXPECT_EQ(sums->first_index, 5U);
  EXPECT_EQ(sums->last_index, 10U);
  EXPECT_EQ(sums->first, Timestamp(hours(5)));
  EXPECT_EQ(sums->last, Timestamp(hours(10)));
  EXPECT_EQ(sums->bytes, log_.Lines(5, 11).size());
  EXPECT_EQ(sums->segments, 3U);
  EXPECT_EQ(sums->file_bytes, std::filesystem::file_size(log_.File(0, kPackedSuffix)) +
                                  std::filesystem::file_size(log_.File(4, kPackedSuffix)) +
                                  std::filesystem::file_size(log_.File(8, kLinesSuffix)));
}

TEST_F(PackedQuery, EveryRecordIsProven) {
  const VerifierKey key = testing::AuditKey()->verifier();
  for (std::uint64_t index = 0; index < 11; ++index) {
    const auto proof = ProveInclusion(log_.Directory(), index, log_.checkpoint(), key);
    ASSERT_TRUE(proof.has_value()) << proof.error().message;
    EXPECT_EQ(proof->line, PackedLog::Line(index));
    EXPECT_TRUE(proof->Check(PackedLog::Line(index), key).has_value());
  }
}

TEST_F(PackedQuery, TheLogGoesOnFromACheckpointWithinACompressedSegment) {
  TreeHasher hasher;
  CompactRange tree;
  for (std::uint64_t i = 0; i < 6; ++i) tree.Append(hasher, hasher.Leaf(PackedLog::Line(i)));
  const VerifierKey key = testing::AuditKey()->verifier();
  const Checkpoint newer = *ReadSignedCheckpoint(log_.checkpoint(), key);
  const auto proof =
      ProveConsistency(log_.Directory(), Checkpoint::WithEdge(key.name(), tree), newer);
  EXPECT_TRUE(proof.has_value()) << proof.error().message;
}

TEST_F(PackedQuery, ATailBeginsWithinACompressedSegmentAndComesToWhatIsNew) {
  auto log =
      Log::Open({.directory = log_.path(), .broker_id = "test", .store = testing::AuditStore()});
  ASSERT_TRUE(log.has_value()) << log.error().message;
  auto tail = Tail::Open(**log, {.principal = "odd"}, 6);
  ASSERT_TRUE(tail.has_value()) << tail.error().message;
  Record record;
  record.type = RecordType::kRunDenied;
  record.caller.emplace().principal = "odd";
  ASSERT_TRUE((*log)->Append(record, Deadline::After(std::chrono::seconds(20))).has_value());
  for (const std::uint64_t index : {7U, 9U, 11U}) {
    const auto found = tail->Next({}, Deadline::After(std::chrono::seconds(20)));
    ASSERT_TRUE(found.has_value() && found->has_value());
    EXPECT_EQ((*found)->index, index);
  }
}

// RFC 8878 section 3.1.1.1.2: whoever writes the file says how much memory reading it takes.
TEST_F(PackedQuery, ACompressedSegmentThatTakesMoreMemoryThanItMayIsAnError) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(::ZSTD_createCCtx(),
                                                                        ::ZSTD_freeCCtx);
  const std::string lines = log_.Lines(4, 8);
  for (const int window_log : {23, 24}) {
    ASSERT_FALSE(
        ::ZSTD_isError(::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log)));
    std::string frame(::ZSTD_compressBound(lines.size()), '\0');
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    // In two steps: of known size the frame would need no more than that.
    for (const ZSTD_EndDirective end : {ZSTD_e_flush, ZSTD_e_end}) {
      ZSTD_inBuffer in{lines.data(), end == ZSTD_e_flush ? lines.size() : 0, 0};
      ASSERT_EQ(::ZSTD_compressStream2(context.get(), &out, &in, end), 0U);
    }
    frame.resize(out.pos);
    Damage(4, [&](std::string& bytes) { bytes = frame; });
    Ask({}, 4);
    EXPECT_EQ(error_.empty(), window_log == 23) << window_log << ": " << error_;
  }
}

TEST_F(PackedQuery, WhatIsNoFileIsAnErrorAndHoldsUpNobody) {
  for (const std::string& path : {log_.File(8, kLinesSuffix), log_.File(4, kPackedSuffix)}) {
    std::filesystem::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    Ask({}, 4);
    EXPECT_THAT(error_, HasSubstr("not a regular file"));
  }
}

TEST_F(PackedQuery, LinesBehindAPlainSegmentsLastRecordAreNobodys) {
  AppendText(log_.File(4, kLinesSuffix), log_.Lines(4, 8) + ForgedLine(8));
  EXPECT_THAT(Ask({}, 6), ElementsAre(6, 7, 8, 9, 10));
  EXPECT_THAT(Ask({}, 6, log_.end()), ElementsAre(6, 7, 8, 9, 10));
}

// More than one piece of what is read and unpacked at a time.
TEST(PackedSegment, OfManyRecordsIsReadWhole) {
  const ScratchFolder folder;
  const UniqueFd directory(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  TreeHasher hasher;
  std::string lines;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    Record record;
    record.type = RecordType::kRunDenied;
    // Nothing that compresses well: the file is several buffers long, too.
    record.detail = ToString(hasher.Leaf(std::to_string(i)));
    record.caller.emplace().principal = ToString(hasher.Leaf("p" + std::to_string(i)));
    EncodedRecord(record, "boot", "test").AppendTo(lines, i);
  }
  AppendText(folder.File(SegmentFileName(0, kLinesSuffix)), lines);
  ASSERT_TRUE(PackSegment(directory.get(), 0, [] { return false; }).has_value());
  ASSERT_GT(std::filesystem::file_size(folder.File(SegmentFileName(0, kPackedSuffix))), 200'000U);
  RecordReader reader(UniqueFd(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0)), 0, {});
  std::string read;
  const auto summary = Query(reader, {}, kAll, [&](const ReadRecord& record) {
    read.append(record.line) += '\n';
    return true;
  });
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->matched, 4000U);
  EXPECT_EQ(summary->unreadable, 0U);
  EXPECT_TRUE(read == lines);
}

}  // namespace
}  // namespace tidewaiter::audit
