// Each way to tamper with the records of a copy, at every place where it can be done: found, and
// named for what it is. What is done to the files beside them: tampered_files_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/tampered_log.h"

namespace tidewaiter::audit {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Named(const char* kind, std::uint64_t record) {
  return kind + (' ' + std::to_string(record));
}

class TamperedRecords : public ::testing::Test {
 protected:
  // Has `change` change the lines of each segment at each of their positions, and gives `check` the
  // index of the record there.
  void AtEveryRecord(
      const std::function<void(std::vector<std::string>& lines, std::size_t at)>& change,
      const std::function<void(std::uint64_t record)>& check) {
    for (const std::uint64_t first : {0U, 10U, 20U}) {
      const std::vector<std::string> whole = log_.Lines(first);
      for (std::size_t at = 0; at < whole.size(); ++at) {
        std::vector<std::string> lines = whole;
        change(lines, at);
        log_.SetLines(first, lines);
        SCOPED_TRACE("record " + std::to_string(first + at));
        check(first + at);
      }
      log_.SetLines(first, whole);
    }
    EXPECT_EQ(log_.FirstFault(), "none");
  }

  const TamperedLog log_;
};

TEST_F(TamperedRecords, OneThatIsDroppedIsMissing) {
  AtEveryRecord(
      [](auto& lines, std::size_t at) { lines.erase(lines.begin() + static_cast<long>(at)); },
      [&](std::uint64_t record) {
        EXPECT_EQ(log_.FirstFault(), Named(record == 29 ? "truncated" : "missing", record));
      });
}

TEST_F(TamperedRecords, OneThatIsDuplicatedIsInserted) {
  AtEveryRecord(
      [](auto& lines, std::size_t at) {
        const std::string again = lines[at];
        lines.insert(lines.begin() + static_cast<long>(at), again);
      },
      [&](std::uint64_t record) { EXPECT_EQ(log_.FirstFault(), Named("inserted", record + 1)); });
}

TEST_F(TamperedRecords, OneThatIsMadeUpIsInserted) {
  AtEveryRecord(
      [](auto& lines, std::size_t at) {
        const std::string made_up = lines[at].substr(0, lines[at].find("record")) + "made.up\"}";
        lines.insert(lines.begin() + static_cast<long>(at), made_up);
      },
      [&](std::uint64_t record) {
        // Of two with one number, which is the record's own is told by the hash beside it.
        EXPECT_THAT(log_.FirstFault(), AnyOf(Named("inserted", record), Named("changed", record)));
      });
}

TEST_F(TamperedRecords, OneThatIsDroppedOrMadeUpIsFoundThereAlsoWhereTheOthersAreNumberedAnew) {
  const auto number_anew = [](std::vector<std::string>& lines, std::uint64_t first) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      lines[i] = R"({"index":)" + std::to_string(first + i) + lines[i].substr(lines[i].find(','));
    }
  };
  for (std::size_t at = 0; at < 9; ++at) {
    const std::vector<std::string> whole = log_.Lines(10);
    std::vector<std::string> lines = whole;
    lines.erase(lines.begin() + static_cast<long>(at));
    number_anew(lines, 10);
    log_.SetLines(10, lines);
    EXPECT_EQ(log_.FirstFault(), Named("changed", 10 + at));
    lines = whole;
    lines.insert(lines.begin() + static_cast<long>(at), R"({"index":0,"time":"t","type":"x"})");
    number_anew(lines, 10);
    log_.SetLines(10, lines);
    EXPECT_EQ(log_.FirstFault(), Named("changed", 10 + at));
    log_.SetLines(10, whole);
  }
}

TEST_F(TamperedRecords, OneThatIsReplacedIsChanged) {
  AtEveryRecord(
      [](auto& lines, std::size_t at) { lines[at].replace(lines[at].find("record"), 6, "forged"); },
      [&](std::uint64_t record) { EXPECT_EQ(log_.FirstFault(), Named("changed", record)); });
}

TEST_F(TamperedRecords, TwoNeighboursThatAreSwappedAreReordered) {
  AtEveryRecord(
      [](auto& lines, std::size_t at) {
        if (at + 1 < lines.size()) std::swap(lines[at], lines[at + 1]);
      },
      [&](std::uint64_t record) {
        EXPECT_EQ(log_.FirstFault(), record % 10 == 9 ? "none" : Named("reordered", record));
      });
}

TEST_F(TamperedRecords, TwoThatAreSwappedAndNumberedAnewAreReordered) {
  for (std::uint64_t one = 10; one < 14; ++one) {
    for (std::uint64_t other = one + 1; other < 15; ++other) {
      const std::vector<std::string> whole = log_.Lines(10);
      std::vector<std::string> lines = whole;
      std::swap(lines[one - 10], lines[other - 10]);
      const auto number_of = [](std::uint64_t index) {
        return "\"index\":" + std::to_string(index);
      };
      std::string& first = lines[one - 10];
      std::string& second = lines[other - 10];
      first.replace(first.find(number_of(other)), number_of(other).size(), number_of(one));
      second.replace(second.find(number_of(one)), number_of(one).size(), number_of(other));
      log_.SetLines(10, lines);
      EXPECT_EQ(log_.FirstFault(), Named("changed", one)) << other;
      log_.SetLines(10, whole);
    }
  }
}

TEST_F(TamperedRecords, TwoOfTwoSegmentsThatAreSwappedAreFound) {
  auto before = log_.Lines(0);
  auto behind = log_.Lines(10);
  std::swap(before.back(), behind.front());
  log_.SetLines(0, before);
  log_.SetLines(10, behind);
  EXPECT_EQ(log_.FirstFault(), "missing 9");
}

// At every byte: also amid a line, where a copy of a log that is being written ends as well.
TEST_F(TamperedRecords, AnEndThatIsCutIsTruncated) {
  const std::string whole = ReadText(log_.File(20, kLinesSuffix));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    TamperedLog::Write(log_.File(20, kLinesSuffix), whole.substr(0, size));
    const auto left = static_cast<std::uint64_t>(
        std::count(whole.begin(), whole.begin() + static_cast<long>(size), '\n'));
    const auto faults = log_.Verify().faults;
    ASSERT_EQ(faults.size(), 1U) << size;
    EXPECT_EQ(faults[0].kind, FaultKind::kTruncated) << size;
    EXPECT_EQ(faults[0].record, 20 + left) << size;
    EXPECT_EQ(faults[0].count, 10 - left) << size;
  }
}

TEST_F(TamperedRecords, AnEndThatIsCutIsTruncatedByTheSegmentsOwnCheckpoints) {
  std::filesystem::remove(log_.Newest());
  auto lines = log_.Lines(20);
  lines.resize(2);
  log_.SetLines(20, lines);
  const auto faults = log_.Verify().faults;
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].kind, FaultKind::kTruncated);
  EXPECT_EQ(faults[0].record, 22U);
  EXPECT_EQ(faults[0].count, 8U);
}

TEST_F(TamperedRecords, AMissingLastSegmentIsTruncatedByItsCheckpoints) {
  std::filesystem::remove(log_.Newest());
  std::filesystem::remove(log_.File(20, kLinesSuffix));
  std::filesystem::remove(log_.File(20, kHashesSuffix));
  EXPECT_THAT(log_.Faults(), ElementsAre("truncated 20"));
}

TEST_F(TamperedRecords, AnEmptyLineIsNoRecord) {
  AppendText(log_.File(20, kLinesSuffix), "\n");
  EXPECT_THAT(log_.Faults(), ElementsAre("changed 30"));
}

TEST_F(TamperedRecords, WhatIsFoundIsNotSaidTwice) {
  auto lines = log_.Lines(20);
  lines[3].replace(lines[3].find("record"), 6, "forged");
  log_.SetLines(20, lines);
  EXPECT_THAT(log_.Faults(), ElementsAre("changed 23"));
}

TEST_F(TamperedRecords, ARecordBehindWhichEveryCheckpointWasTakenAwayIsFoundByTheNextSegment) {
  // Its first one is left: without it the segment is a fault by itself.
  log_.SetNotes(0, {log_.Notes(0).at(0)});
  std::filesystem::remove(log_.File(0, kHashesSuffix));
  auto lines = log_.Lines(0);
  lines[3].replace(lines[3].find("record"), 6, "forged");
  log_.SetLines(0, lines);
  const auto faults = log_.Verify().faults;
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].kind, FaultKind::kChanged);
  EXPECT_LE(faults[0].record, 3U);
  EXPECT_GT(faults[0].record + faults[0].count, 3U);
  EXPECT_THAT(faults[0].message, HasSubstr("goes on from another tree"));
}

// Another log of the same key, as a second run of the same broker's would be.
class ReplacedSegment : public TamperedRecords {
 protected:
  const TamperedLog other_{[](std::uint64_t index) {
    std::string line = TamperedLog::Line(index);
    return line.replace(line.find("record"), 6, "other.");
  }};
  void Replace(std::uint64_t first, std::string_view suffix) const {
    std::filesystem::copy_file(other_.File(first, suffix), log_.File(first, suffix),
                               std::filesystem::copy_options::overwrite_existing);
  }
};

TEST_F(ReplacedSegment, OfItsLinesIsChanged) {
  for (const std::uint64_t first : {0U, 10U, 20U}) {
    const auto whole = log_.Lines(first);
    Replace(first, kLinesSuffix);
    EXPECT_EQ(log_.FirstFault(), Named("changed", first));
    log_.SetLines(first, whole);
  }
}

TEST_F(ReplacedSegment, OfItsLinesAndHashesIsChanged) {
  Replace(10, kLinesSuffix);
  Replace(10, kHashesSuffix);
  EXPECT_EQ(log_.FirstFault(), "changed 10");
}

TEST_F(ReplacedSegment, WithAllItsFilesDoesNotGoOnFromTheOneBefore) {
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    Replace(10, suffix);
  }
  const auto faults = log_.Verify().faults;
  ASSERT_EQ(faults.size(), 2U) << "at both of its ends";
  EXPECT_EQ(faults[0].kind, FaultKind::kChanged);
  EXPECT_THAT(faults[0].message, HasSubstr("a record before 10 is changed"));
  EXPECT_THAT(faults[1].message, HasSubstr("a record before 20 is changed"));
}

TEST_F(ReplacedSegment, WhereItIsTheLastIsFoundByTheNewestCheckpoint) {
  for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    Replace(20, suffix);
  }
  EXPECT_THAT(log_.FirstFault(), StartsWith("changed"));
}

TEST_F(ReplacedSegment, EachOfThemIsFoundByACheckpointThatWasKept) {
  const std::string kept = ReadText(log_.Newest());
  EXPECT_EQ(other_.FirstFault(), "none");
  EXPECT_EQ(other_.FirstFault({{.name = "kept", .bytes = kept}}), "forked 0");
}

}  // namespace
}  // namespace tidewaiter::audit
