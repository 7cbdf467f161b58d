#include "audit/statistics.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/log_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class StatisticsTest : public ::testing::Test {
 protected:
  Statistics Collect(const Filter& filter = {}) const {
    auto sums = CollectStatistics(
        UniqueFd(::open(log_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), filter);
    if (!sums) ADD_FAILURE() << sums.error().message;
    return sums ? *std::move(sums) : Statistics();
  }
  void Decide(RecordType type, const std::string& principal, const std::string& image,
              const std::vector<std::string>& rules, Timestamp when = {}) {
    Record record;
    record.type = type;
    record.caller.emplace().principal = principal;
    record.requested_image = image;
    for (const std::string& rule : rules) {
      record.violations.push_back({.rule = rule, .field = {}, .message = {}, .remedy = {}});
    }
    log_.Add(record, when);
  }
  void Finish(const std::string& kind, std::int64_t code, std::int64_t duration,
              bool complete = true) {
    Record record;
    record.type = RecordType::kRunFinished;
    record.outcome = Record::Outcome{.kind = kind,
                                     .reason = {},
                                     .exit_code = code,
                                     .oom_killed = false,
                                     .duration_ms = duration};
    record.receipt.emplace().complete = complete;
    log_.Add(record);
  }

  testing::LogFolder log_;
};

TEST_F(StatisticsTest, DecisionsAreCountedByWhoWhatAndWhy) {
  Decide(RecordType::kRunAdmitted, "alice", "a/b:1@sha256:x", {});
  Decide(RecordType::kRunDenied, "alice", "a/b:1", {"r1", "r2"});
  Decide(RecordType::kRunDenied, "bob", "c", {"r2"});
  const Statistics sums = Collect();
  EXPECT_EQ(sums.records, 3U);
  EXPECT_EQ(sums.admitted, 1U);
  EXPECT_EQ(sums.denied, 2U);
  EXPECT_EQ(sums.rules.CountOf("r2"), 2U);
  EXPECT_EQ(sums.rules.CountOf("r1"), 1U);
  EXPECT_EQ(sums.principals.CountOf("alice"), 2U);
  EXPECT_EQ(sums.denied_principals.CountOf("alice"), 1U);
  EXPECT_EQ(sums.images.CountOf("a/b:1"), 2U);
  EXPECT_EQ(sums.types.CountOf("run.denied"), 2U);
}

TEST_F(StatisticsTest, EndsAreCountedByKindWithTheirDurations) {
  for (int i = 1; i <= 99; ++i) Finish("EXITED", i == 1 ? 7 : 0, i);
  Finish("TIMED_OUT", 0, 60'000, /*complete=*/false);
  const Statistics sums = Collect();
  EXPECT_EQ(sums.finished, 100U);
  EXPECT_EQ(sums.unsuccessful, 2U);
  EXPECT_EQ(sums.incomplete_receipts, 1U);
  EXPECT_EQ(sums.outcomes.CountOf("EXITED"), 99U);
  EXPECT_EQ(sums.durations.Quantile(50), milliseconds(50));
  EXPECT_EQ(sums.durations.Quantile(95), milliseconds(95));
  EXPECT_EQ(sums.durations.longest(), milliseconds(60'000));
}

TEST_F(StatisticsTest, GapsAndTeardownsAreCounted) {
  Record gap;
  gap.type = RecordType::kAuditGap;
  gap.log.emplace().lost_records = 5;
  gap.log->refused_records = 3;
  log_.Add(gap);
  Record overdue;
  overdue.type = RecordType::kTeardownOverdue;
  log_.Add(overdue);
  const Statistics sums = Collect();
  EXPECT_EQ(sums.gaps, 1U);
  EXPECT_EQ(sums.lost_records, 5U);
  EXPECT_EQ(sums.refused_records, 3U);
  EXPECT_EQ(sums.teardowns_overdue, 1U);
  EXPECT_EQ(sums.teardowns_settled, 0U);
}

TEST_F(StatisticsTest, PeriodSegmentsAndBytesAreTheLogs) {
  Decide(RecordType::kRunAdmitted, "p", "i", {}, Timestamp(seconds(20)));
  log_.BeginSegment();
  Decide(RecordType::kRunAdmitted, "p", "i", {}, Timestamp(seconds(10)));
  log_.AddBytes("garbage\n");
  const Statistics sums = Collect();
  EXPECT_EQ(sums.first, Timestamp(seconds(10))) << "time can step back";
  EXPECT_EQ(sums.last, Timestamp(seconds(20)));
  EXPECT_EQ(sums.first_index, 0U);
  EXPECT_EQ(sums.last_index, 1U);
  EXPECT_EQ(sums.segments, 2U);
  EXPECT_EQ(sums.file_bytes, sums.bytes + 8);
  EXPECT_EQ(sums.unreadable, 1U);
}

TEST_F(StatisticsTest, AFilterBoundsWhatIsCounted) {
  Decide(RecordType::kRunAdmitted, "p", "i", {}, Timestamp(seconds(10)));
  Decide(RecordType::kRunAdmitted, "p", "i", {}, Timestamp(seconds(20)));
  EXPECT_EQ(Collect({.since = Timestamp(seconds(15))}).admitted, 1U);
}

TEST_F(StatisticsTest, HostileMembersAreCountedAsNothing) {
  log_.AddBytes(
      R"({"index":0,"log":{"lost_records":-5},"time":"t","type":"audit.gap"})"
      "\n"
      R"({"index":1,"outcome":[],"time":"t","type":"run.finished"})"
      "\n"
      R"({"index":2,"time":"t","type":"run.denied","violations":[1,{"rule":{}}]})"
      "\n"
      R"({"index":3,"log":{"lost_records":9223372036854775807},"time":"t","type":"audit.gap"})"
      "\n");
  const Statistics sums = Collect();
  EXPECT_EQ(sums.records, 4U);
  EXPECT_EQ(sums.lost_records, 9223372036854775807U);
  EXPECT_EQ(sums.rules.total(), 0U);
  EXPECT_EQ(sums.first, std::nullopt);
}

TEST(TopCounts, TheRestIsCountedTogetherOnceThereAreTooMany) {
  TopCounts counts(2);
  for (const char* key : {"a", "b", "b", "c", "d", "a", "b"}) counts.Add(key);
  EXPECT_EQ(counts.CountOf("b"), 3U);
  EXPECT_EQ(counts.CountOf("c"), 0U);
  EXPECT_EQ(counts.rest(), 2U);
  EXPECT_EQ(counts.total(), 7U);
  ASSERT_EQ(counts.Top(1).size(), 1U);
  EXPECT_EQ(counts.Top(1)[0].key, "b");
}

TEST(TopCounts, ALongTextIsCutAtACharacter) {
  TopCounts counts;
  const std::string text = std::string(TopCounts::kMaxKeyBytes - 1, 'x') + "\u00e9";
  counts.Add(text);
  EXPECT_EQ(counts.Top(1)[0].key, text.substr(0, TopCounts::kMaxKeyBytes - 1));
  EXPECT_EQ(counts.CountOf(text), 1U);
}

TEST(DurationHistogram, IsWithinTwoPercentForAnyDuration) {
  for (const std::int64_t value : {0L, 1L, 127L, 128L, 1000L, 86'400'000L, 9'007'199'254'740'991L,
                                   9'223'372'036'854'775'807L}) {
    DurationHistogram durations;
    durations.Add(milliseconds(value));
    const std::int64_t found = durations.Quantile(50).count();
    EXPECT_LE(found, value);
    EXPECT_GE(found, value - value / 50);
  }
  EXPECT_EQ(DurationHistogram().Quantile(95), milliseconds(0));
}

TEST(Timeline, BarsAreAsNarrowAsTheirNumberAllows) {
  Timeline timeline;
  for (int i = 0; i < 48; ++i) timeline.Add(Timestamp(hours(i)), Timeline::Decision::kAdmitted);
  EXPECT_EQ(timeline.Draw(60).width, hours(1));
  EXPECT_EQ(timeline.Draw(60).bars.size(), 48U);
  EXPECT_EQ(timeline.Draw(10).width, hours(6));
  EXPECT_EQ(timeline.Draw(10).bars.at(0).admitted, 6U);
  EXPECT_TRUE(Timeline().Draw(10).bars.empty());
}

TEST(Timeline, NeitherTimesBefore1970NorManyOfThemAreTooMuch) {
  Timeline timeline;
  std::uint64_t added = 0;
  for (int day = -100'000; day < 100'000; day += 7, ++added) {
    timeline.Add(Timestamp(hours(24LL * day + day % 24)), Timeline::Decision::kDenied);
  }
  const auto drawn = timeline.Draw(60);
  EXPECT_LE(drawn.bars.size(), 60U);
  std::uint64_t denied = 0;
  for (const auto& bar : drawn.bars) denied += bar.denied;
  EXPECT_EQ(denied, added);
}

}  // namespace
}  // namespace tidewaiter::audit
