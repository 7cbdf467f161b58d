#include "audit/query.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/line_reader.h"
#include "audit/record.h"
#include "audit/segment_name.h"
#include "base/unique_fd.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QueryTest : public ::testing::Test {
 protected:
  void Add(RecordType type, const std::string& run_id, const std::string& principal, int time) {
    Record record;
    record.type = type;
    record.run_id = run_id;
    record.caller.emplace().principal = principal;
    EncodedRecord encoded(record, "boot", "broker");
    encoded.SetTime(Timestamp(seconds(time)));
    std::string line;
    encoded.AppendTo(line, next_index_++);
    AppendText(path_, line);
  }

  [[nodiscard]] UniqueFd Folder() const {
    return UniqueFd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  // The indexes that match.
  std::vector<std::uint64_t> Ask(const Filter& filter, std::uint64_t limit = 1000) {
    RecordReader reader(Folder(), 0, {});
    std::vector<std::uint64_t> indexes;
    const auto summary = Query(reader, filter, limit, [&](const ReadRecord& record) {
      indexes.push_back(record.header->index);
      return true;
    });
    if (!summary) ADD_FAILURE() << summary.error().message;
    if (summary) summary_ = *summary;
    return indexes;
  }

  ScratchFolder folder_;
  std::string path_ = folder_.File(SegmentFileName(0, kLinesSuffix));
  std::uint64_t next_index_ = 0;
  QuerySummary summary_;
};

TEST_F(QueryTest, EveryConditionMustHold) {
  Add(RecordType::kRunDenied, "r1", "alice", 10);
  Add(RecordType::kRunAdmitted, "r2", "alice", 20);
  Add(RecordType::kRunAdmitted, "r3", "bob", 30);
  EXPECT_THAT(Ask({}), ElementsAre(0, 1, 2));
  EXPECT_THAT(Ask({.run_id = "r2"}), ElementsAre(1));
  EXPECT_THAT(Ask({.principal = "alice"}), ElementsAre(0, 1));
  EXPECT_THAT(Ask({.type = "run.admitted"}), ElementsAre(1, 2));
  EXPECT_THAT(Ask({.principal = "alice", .type = "run.admitted"}), ElementsAre(1));
  EXPECT_THAT(Ask({.run_id = "r1", .principal = "bob"}), IsEmpty());
}

TEST_F(QueryTest, SinceIsInclusiveAndUntilExclusive) {
  for (int time : {10, 20, 30}) Add(RecordType::kRunDenied, "r", "p", time);
  EXPECT_THAT(Ask({.since = Timestamp(seconds(20))}), ElementsAre(1, 2));
  EXPECT_THAT(Ask({.until = Timestamp(seconds(20))}), ElementsAre(0));
}

TEST_F(QueryTest, ATextThatNeedsEscapesIsFound) {
  Add(RecordType::kRunDenied, "r", "O\"Brien\n", 1);
  EXPECT_THAT(Ask({.principal = "O\"Brien\n"}), ElementsAre(0));
}

TEST_F(QueryTest, StopsAtItsLimit) {
  for (int i = 0; i < 5; ++i) Add(RecordType::kRunDenied, "r", "p", i);
  EXPECT_THAT(Ask({}, 2), ElementsAre(0, 1));
}

TEST_F(QueryTest, TheLastThatMatchBeginWhereFindLastSays) {
  for (int i = 0; i < 6; ++i) Add(RecordType::kRunDenied, i % 2 == 0 ? "even" : "odd", "p", i);
  const auto find = [this](const Filter& filter, std::uint64_t count) {
    RecordReader reader(Folder(), 0, {});
    return FindLast(reader, filter, count).value();
  };
  EXPECT_EQ(find({}, 2), 4U);
  EXPECT_EQ(find({.run_id = "odd"}, 2), 3U);
  EXPECT_EQ(find({.run_id = "odd"}, 100), 1U);
  EXPECT_EQ(find({}, 0), 6U);
  EXPECT_EQ(find({.run_id = "none"}, 2), 6U);
}

TEST_F(QueryTest, AReaderThatCameToTheEndGoesOnIntoTheNextSegment) {
  RecordReader reader(Folder(), 0, {});
  const auto next = [&reader] {
    const auto record = reader.Next();
    return record && *record ? std::optional((*record)->header->index) : std::nullopt;
  };
  EXPECT_EQ(next(), std::nullopt);
  Add(RecordType::kRunDenied, "r", "p", 1);
  EXPECT_EQ(next(), 0U);
  EXPECT_EQ(next(), std::nullopt);
  Add(RecordType::kRunDenied, "r", "p", 2);
  path_ = folder_.File(SegmentFileName(2, kLinesSuffix));
  Add(RecordType::kRunDenied, "r", "p", 3);
  EXPECT_EQ(next(), 1U);
  EXPECT_EQ(next(), 2U);
  EXPECT_EQ(next(), std::nullopt);
}

TEST_F(QueryTest, LinesThatAreNoRecordsAreCountedAndPassedOver) {
  Add(RecordType::kRunDenied, "r", "p", 1);
  AppendText(path_, "garbage\n");
  Add(RecordType::kRunDenied, "r", "p", 2);
  EXPECT_THAT(Ask({}), ElementsAre(0, 1));
  EXPECT_EQ(summary_.unreadable, 1U);
}

TEST_F(QueryTest, ATornLastLineIsNotGiven) {
  Add(RecordType::kRunDenied, "r", "p", 1);
  AppendText(path_, R"({"index":1,"time":"t","type":"run.denied"})");
  EXPECT_THAT(Ask({}), ElementsAre(0));
}

TEST_F(QueryTest, ManyLinesOfManyLengthsAreReadWhole) {
  for (int i = 0; i < 2000; ++i) {
    Add(RecordType::kRunDenied, "r", std::string(static_cast<std::size_t>(i), 'p'), i);
  }
  EXPECT_EQ(Ask({}, 5000).size(), 2000U);
  EXPECT_EQ(summary_.unreadable, 0U);
}

TEST_F(QueryTest, ALineWithoutEndIsAnErrorAndTakesNoMoreMemory) {
  AppendText(path_, std::string(3 * kMaxLineBytes, 'x'));
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  FileSource source(fd.get(), 0, 3 * kMaxLineBytes);
  LineReader lines(source);
  const auto line = lines.Next();
  ASSERT_FALSE(line.has_value());
  EXPECT_THAT(line.error().message, HasSubstr("line at byte 0 is too long"));
}

}  // namespace
}  // namespace tidewaiter::audit
