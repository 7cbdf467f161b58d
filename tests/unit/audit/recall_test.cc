// Which runs can be believed to be unknown to the log: those that are marked at a record that is
// there, with every record behind it.
#include "audit/recall.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "audit/tree_hash.h"
#include "tests/support/packed_log.h"

namespace tidewaiter::audit {
namespace {

using testing::PackedLog;

// Of a log whose segments begin with 0, 4 and 8, the first two compressed.
class Recall : public ::testing::Test {
 protected:
  static std::string MarkAt(std::uint64_t index) {
    TreeHasher hasher;
    return std::to_string(index) + ' ' +
           ToString(hasher.Leaf(PackedLog::Line(index))).substr(std::string("sha256:").size());
  }
  bool IsUnsure(const std::string& mark) {
    std::map<std::string, RunStanding> standings{{"unknown", {}}};
    const auto recalled = RecallRuns(log_.Directory(), log_.end(), {{"unknown", mark}}, standings);
    EXPECT_TRUE(recalled.has_value()) << recalled.error().message;
    return standings.at("unknown").unsure;
  }

  const PackedLog log_;
};

TEST_F(Recall, IsSureWhereTheMarkedRecordAndAllBehindItAreThere) {
  for (const std::uint64_t index : {0U, 2U, 3U, 4U, 7U, 10U}) {
    EXPECT_FALSE(IsUnsure(MarkAt(index))) << index;
  }
}

TEST_F(Recall, IsUnsureOfAnotherRecordOfThatNumber) {
  std::string mark = MarkAt(2);
  mark.back() = mark.back() == '0' ? '1' : '0';
  EXPECT_TRUE(IsUnsure(mark));
  EXPECT_TRUE(IsUnsure(""));
}

TEST_F(Recall, IsUnsureWhereRecordsBetweenAreMissing) {
  std::filesystem::remove(log_.File(4, kPackedSuffix));
  EXPECT_TRUE(IsUnsure(MarkAt(2)));
  EXPECT_FALSE(IsUnsure(MarkAt(8))) << "those are before it";
}

TEST_F(Recall, IsUnsureWhereTheLastRecordsAreMissing) {
  std::filesystem::remove(log_.File(8, kLinesSuffix));
  EXPECT_TRUE(IsUnsure(MarkAt(2)));
}

}  // namespace
}  // namespace tidewaiter::audit
