// Every number of a spec is what was written or is refused, whichever way the spec comes in.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"
#include "wire/run_spec.h"
#include "wire/spec_json.h"

namespace tidewaiter::wire {
namespace {

class NoHostPaths final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    return Fail(ErrorCode::kPermissionDenied, "trust '" + path + "': nothing is");
  }
};

// "rule field" of each violation under a policy that admits the image and no root.
std::vector<std::string> Violations(const v1::RunSpec& spec) {
  const auto set = policy::PolicySet::Parse(
      "version = 1\n[images]\n[[images.allow]]\nrepository = \"ghcr.io/team/*\"\n", "p.toml");
  const Result<policy::RunSpec> read = FromProto(spec);
  if (!set || !read) return {"not read"};
  const NoHostPaths host;
  std::vector<std::string> broken;
  const policy::Decision decision = policy::Evaluate(*(*set)->Find("default"), *read, host);
  for (const policy::Violation& each : decision.violations()) {
    broken.push_back(each.rule + " " + each.field);
  }
  return broken;
}

v1::RunSpec Root() {
  v1::RunSpec spec;
  spec.set_image("ghcr.io/team/job:1.2.3@sha256:" + std::string(64, 'a'));
  spec.set_user("0");
  return spec;
}

struct Number {
  const char* name;
  const char* limit;
  const char* text;
  const char* rule;
};

class WrongNumberInJson : public testing::TestWithParam<Number> {};

TEST_P(WrongNumberInJson, IsAViolationAmongOthers) {
  const std::string json = SpecToJson(Root());
  const auto spec = ParseSpecJson(json.substr(0, json.size() - 1) + ", \"limits\": {\"" +
                                  GetParam().limit + "\": " + GetParam().text + "}}");
  ASSERT_TRUE(spec.has_value()) << spec.error().list.front().message;
  EXPECT_EQ(Violations(*spec),
            (std::vector<std::string>{
                "user.root user", std::string(GetParam().rule) + " limits." + GetParam().limit}));
}

std::string NameOf(const testing::TestParamInfo<Number>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Cpus, WrongNumberInJson,
    testing::Values(Number{"BeyondADouble", "cpus", "1e309", "limit.not-positive"},
                    Number{"BelowADouble", "cpus", "-1e309", "limit.not-positive"},
                    Number{"BeyondADoubleInText", "cpus", "\"1e400\"", "limit.not-positive"},
                    Number{"NearerToZeroThanADouble", "cpus", "1e-400", "limit.not-positive"},
                    Number{"NearerToZeroInText", "cpus", "\"1e-400\"", "limit.not-positive"},
                    Number{"NotANumber", "cpus", "NaN", "limit.not-positive"},
                    Number{"Infinite", "cpus", "Infinity", "limit.not-positive"},
                    Number{"NegativeInfinite", "cpus", "-Infinity", "limit.not-positive"},
                    Number{"NotANumberInText", "cpus", "\"NaN\"", "limit.not-positive"},
                    Number{"InfiniteInText", "cpus", "\"Infinity\"", "limit.not-positive"},
                    Number{"NegativeInfiniteInText", "cpus", "\"-Infinity\"", "limit.not-positive"},
                    Number{"Zero", "cpus", "0", "limit.not-positive"},
                    Number{"NegativeZero", "cpus", "-0.0", "limit.not-positive"},
                    Number{"BelowAThousandth", "cpus", "0.0001", "limit.not-positive"},
                    Number{"BetweenThousandths", "cpus", "1.0005", "limit.not-positive"},
                    Number{"AlmostOne", "cpus", "1.00000000001", "limit.not-positive"},
                    Number{"OneBitAboveOne", "cpus", "1.0000000000000002", "limit.not-positive"},
                    Number{"NearTheSmallest", "cpus", "0.0100004", "limit.not-positive"},
                    Number{"AlmostTheSmallest", "cpus", "0.0099999999", "limit.not-positive"},
                    Number{"Small", "cpus", "0.009", "limit.too-small"},
                    Number{"Large", "cpus", "4.001", "limit.too-large"},
                    Number{"BeyondSigned", "cpus", "9223372036854775808", "limit.not-positive"},
                    Number{"ManyDigits", "cpus", "99999999999999999999", "limit.not-positive"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Whole, WrongNumberInJson,
    testing::Values(Number{"Zero", "pids", "0", "limit.not-positive"},
                    Number{"NegativeZero", "pids", "-0", "limit.not-positive"},
                    Number{"NegativeZeroInText", "pids", "\"-0\"", "limit.not-positive"},
                    Number{"Negative", "memoryBytes", "-1", "limit.not-positive"},
                    Number{"Largest", "logBytes", "9223372036854775807", "limit.too-large"},
                    Number{"LargestInText", "logBytes", "\"9223372036854775807\"",
                           "limit.too-large"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Timeout, WrongNumberInJson,
    testing::Values(Number{"Zero", "timeout", "\"0s\"", "limit.not-positive"},
                    Number{"NegativeZero", "timeout", "\"-0s\"", "limit.not-positive"},
                    Number{"Negative", "timeout", "\"-1s\"", "limit.not-positive"},
                    Number{"NegativeFraction", "timeout", "\"-0.5s\"", "limit.not-positive"},
                    Number{"BelowAMillisecond", "timeout", "\"0.0001s\"", "limit.not-positive"},
                    Number{"BetweenMilliseconds", "timeout", "\"1.000000001s\"",
                           "limit.not-positive"},
                    Number{"Longest", "timeout", "\"315576000000s\"", "limit.too-large"}),
    NameOf);

TEST(WrongNumberOnTheWire, IsAViolationAmongOthers) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double cpus :
       {std::nan(""), kInfinity, -kInfinity, -0.0, 1e300, 0.0001, 0.0100004, 1.0005,
        std::nextafter(1.0, 2.0), std::numeric_limits<double>::denorm_min()}) {
    v1::RunSpec spec = Root();
    spec.mutable_limits()->set_cpus(cpus);
    EXPECT_EQ(Violations(spec),
              (std::vector<std::string>{"user.root user", "limit.not-positive limits.cpus"}))
        << cpus;
  }
}

TEST(WrongNumberOnTheWire, OutOfRangeNanosAreAViolationAmongOthers) {
  for (const std::int32_t nanos :
       {1'000'000'000, -1'000'000, 999, std::numeric_limits<std::int32_t>::min(),
        std::numeric_limits<std::int32_t>::max()}) {
    v1::RunSpec spec = Root();
    spec.mutable_limits()->mutable_timeout()->set_seconds(1);
    spec.mutable_limits()->mutable_timeout()->set_nanos(nanos);
    EXPECT_EQ(Violations(spec),
              (std::vector<std::string>{"user.root user", "limit.not-positive limits.timeout"}))
        << nanos;
  }
}

TEST(RightNumberInJson, ArrivesAsItWasWritten) {
  const auto spec = ParseSpecJson(
      R"({"limits": {"cpus": 2.675, "timeout": "1.050s", "pids": "12", "logBytes": 1}})");
  ASSERT_TRUE(spec.has_value());
  const Result<policy::RunSpec> read = FromProto(*spec);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->limits.cpu_millis, 2675);
  EXPECT_EQ(read->limits.timeout_millis, 1050);
  EXPECT_EQ(read->limits.pids, 12);
  EXPECT_EQ(read->limits.log_bytes, 1);
}

}  // namespace
}  // namespace tidewaiter::wire
