#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kMiB = 1024 * 1024;
constexpr std::int64_t kGiB = 1024 * kMiB;

RunSpec With(std::optional<std::int64_t> RequestedLimits::*limit, std::int64_t value) {
  RunSpec spec = AdmittedSpec();
  spec.limits.*limit = value;
  return spec;
}

TEST(LimitCheck, BuiltInDefaults) {
  const Limits limits = Effective(Toml(), AdmittedSpec()).limits;
  EXPECT_EQ(limits.memory_bytes, 2 * kGiB);
  EXPECT_EQ(limits.cpu_millis, 1000);
  EXPECT_EQ(limits.pids, 256);
  EXPECT_EQ(limits.timeout, std::chrono::minutes(15));
  EXPECT_EQ(limits.tmpfs_bytes, 64 * kMiB);
  EXPECT_EQ(limits.log_bytes, 16 * kMiB);
  EXPECT_EQ(limits.open_files, 1024);
  EXPECT_EQ(limits.input_bytes, 256 * kMiB);
  EXPECT_EQ(limits.output_bytes, 256 * kMiB);
}

// Each limit: its smallest value, the built-in maximum, and its field.
TEST(LimitCheck, EveryLimitIsBoundedOnBothSides) {
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    const LimitInfo& info = kLimits[i];
    const std::string field = "limits." + std::string(info.json_field);
    const auto ask = [&](std::int64_t value) { return Ask(Toml(), With(info.requested, value)); };
    EXPECT_THAT(ask(info.smallest), IsEmpty()) << field;
    EXPECT_THAT(ask(info.built_in_max), IsEmpty()) << field;
    EXPECT_THAT(ask(info.built_in_max + 1), ElementsAre("limit.too-large " + field));
    EXPECT_THAT(ask(std::numeric_limits<std::int64_t>::max()),
                ElementsAre("limit.too-large " + field));
    EXPECT_THAT(ask(0), ElementsAre("limit.not-positive " + field));
    EXPECT_THAT(ask(-1), ElementsAre("limit.not-positive " + field));
    EXPECT_THAT(ask(std::numeric_limits<std::int64_t>::min()),
                ElementsAre("limit.not-positive " + field));
    if (info.smallest > 1) {
      EXPECT_THAT(ask(info.smallest - 1), ElementsAre("limit.too-small " + field));
    }
  }
}

TEST(LimitCheck, ValuesReachTheirOwnField) {
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    const std::int64_t value = kLimits[i].smallest + 1;
    EXPECT_EQ(GetLimit(Effective(Toml(), With(kLimits[i].requested, value)).limits, i), value)
        << kLimits[i].key;
  }
}

TEST(LimitCheck, PolicyDefaultAndMaximumReplaceTheBuiltIn) {
  const std::string policy = Toml("[limits.memory]\ndefault = \"1GiB\"\nmax = \"16GiB\"\n");
  EXPECT_EQ(Effective(policy, AdmittedSpec()).limits.memory_bytes, kGiB);
  EXPECT_THAT(Ask(policy, With(&RequestedLimits::memory_bytes, 16 * kGiB)), IsEmpty());
  EXPECT_THAT(Ask(policy, With(&RequestedLimits::memory_bytes, 16 * kGiB + 1)),
              ElementsAre("limit.too-large limits.memoryBytes"));
}

TEST(LimitCheck, MaximumAloneLowersTheDefault) {
  EXPECT_EQ(
      Effective(Toml("[limits.memory]\nmax = \"1GiB\"\n"), AdmittedSpec()).limits.memory_bytes,
      kGiB);
}

TEST(LimitCheck, AllBrokenLimitsAreListedInOrder) {
  RunSpec spec = AdmittedSpec();
  spec.limits.memory_bytes = 0;
  spec.limits.pids = 513;
  spec.limits.timeout_millis = -1;
  EXPECT_THAT(Ask(Toml(), spec),
              ElementsAre("limit.not-positive limits.memoryBytes", "limit.too-large limits.pids",
                          "limit.not-positive limits.timeout"));
}

TEST(LimitCheck, RemedyNamesTheRange) {
  const auto set = LoadSet(Toml());
  const Decision decision = Evaluate(
      *set->Find("default"), With(&RequestedLimits::memory_bytes, 9 * kGiB), FakeHostPaths());
  ASSERT_EQ(decision.violations().size(), 1U);
  EXPECT_EQ(decision.violations()[0].remedy, "from 6MiB to 8GiB");
}

}  // namespace
}  // namespace tidewaiter::policy
