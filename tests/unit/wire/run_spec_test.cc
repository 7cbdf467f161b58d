#include "wire/run_spec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tidewaiter::wire {
namespace {

policy::RequestedLimits LimitsOf(const v1::RunSpec& spec) {
  const Result<policy::RunSpec> read = FromProto(spec);
  EXPECT_TRUE(read.has_value());
  return read ? read->limits : policy::RequestedLimits{};
}

policy::RunSpec FullSpec() {
  policy::RunSpec spec;
  spec.image = "ghcr.io/a/b:1.2.3";
  spec.command = {"sh", "-c", "true"};
  spec.env = {{"A", "1"}, {"B", "two\nlines"}};
  spec.working_dir = "/srv";
  spec.user = "1000:1000";
  spec.labels = {{"team", "x"}};
  spec.limits = {.memory_bytes = 1 << 30,
                 .cpu_millis = 1234,
                 .pids = 7,
                 .timeout_millis = 90'001,
                 .tmpfs_bytes = 1,
                 .log_bytes = 2,
                 .open_files = 3,
                 .input_bytes = 4,
                 .output_bytes = 5};
  spec.network = policy::NetworkMode::kIsolated;
  spec.mounts = {{"/a", true, policy::BindMount{"/srv/a"}},
                 {"/b", false, policy::TmpfsMount{4096}},
                 {"/c", false, policy::TmpfsMount{}},
                 {"/d", true, policy::InputMount{"in"}},
                 {"/e", false, policy::OutputMount{"out"}},
                 {"/f", false, policy::VolumeMount{"vol"}},
                 {"/g", false, std::monostate{}}};
  spec.add_capabilities = {"NET_BIND_SERVICE"};
  spec.read_only_rootfs = false;
  spec.runtime = "runsc";
  spec.seccomp_profile = "strict";
  spec.tenant = {"c", "j", "t"};
  spec.backend = "docker";
  spec.idempotency_key = "k";
  return spec;
}

TEST(RunSpecOnTheWire, ComesBackAsItWas) {
  const Result<policy::RunSpec> back = FromProto(ToProto(FullSpec()));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, FullSpec());
}

TEST(RunSpecOnTheWire, AbsentFieldsStayAbsent) {
  const Result<policy::RunSpec> back = FromProto(v1::RunSpec());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, policy::RunSpec());
  EXPECT_EQ(ToProto(policy::RunSpec()).ByteSizeLong(), 0U);
}

TEST(RunSpecOnTheWire, CpusThatAreNoThousandthsBecomeMinusOne) {
  for (const double cpus :
       {std::nan(""), std::numeric_limits<double>::infinity(), 0.0005, 1e300, 0.12345}) {
    v1::RunSpec spec;
    spec.mutable_limits()->set_cpus(cpus);
    EXPECT_EQ(LimitsOf(spec).cpu_millis, -1) << cpus;
  }
}

TEST(RunSpecOnTheWire, EveryThousandthOfACpuIsExact) {
  for (std::int64_t millis = 1; millis <= 8000; ++millis) {
    policy::RunSpec spec;
    spec.limits.cpu_millis = millis;
    EXPECT_EQ(LimitsOf(ToProto(spec)).cpu_millis, millis);
  }
}

TEST(RunSpecOnTheWire, TimeoutsThatAreNoMillisecondsBecomeMinusOne) {
  struct Case {
    std::int64_t seconds;
    std::int32_t nanos;
  };
  for (const Case& wrong : {Case{1, 1}, Case{std::numeric_limits<std::int64_t>::max(), 0},
                            Case{std::numeric_limits<std::int64_t>::min(), 0}, Case{1, -1'000'000},
                            Case{0, 1'000'000'000}}) {
    v1::RunSpec spec;
    spec.mutable_limits()->mutable_timeout()->set_seconds(wrong.seconds);
    spec.mutable_limits()->mutable_timeout()->set_nanos(wrong.nanos);
    EXPECT_EQ(LimitsOf(spec).timeout_millis, -1) << wrong.seconds << " " << wrong.nanos;
  }
}

TEST(RunSpecOnTheWire, ZeroAndNegativeLimitsArriveAsTheyAre) {
  v1::RunSpec spec;
  spec.mutable_limits()->set_memory_bytes(0);
  spec.mutable_limits()->set_pids(-5);
  spec.mutable_limits()->mutable_timeout();
  EXPECT_EQ(LimitsOf(spec).memory_bytes, 0);
  EXPECT_EQ(LimitsOf(spec).pids, -5);
  EXPECT_EQ(LimitsOf(spec).timeout_millis, 0);
}

TEST(RunSpecOnTheWire, UnknownFieldIsAnErrorNamingItsPlace) {
  // Field 99, varint 1: what a newer client could send.
  const std::string unknown("\x98\x06\x01", 3);
  v1::RunSpec spec;
  ASSERT_TRUE(spec.ParseFromString(unknown));
  ASSERT_FALSE(FromProto(spec).has_value());
  EXPECT_EQ(FromProto(spec).error().reason, "UNKNOWN_FIELD");

  v1::RunSpec nested;
  ASSERT_TRUE(nested.add_mounts()->mutable_bind()->ParseFromString(unknown));
  ASSERT_FALSE(FromProto(nested).has_value());
  EXPECT_NE(FromProto(nested).error().message.find("mounts[0].bind"), std::string::npos);
}

TEST(RunSpecOnTheWire, UnknownNetworkModeIsAnError) {
  v1::RunSpec spec;
  spec.mutable_network()->set_mode(static_cast<v1::Network::Mode>(9));
  ASSERT_FALSE(FromProto(spec).has_value());
  EXPECT_EQ(FromProto(spec).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidewaiter::wire
