#include "broker/config/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::config {
namespace {

using ::testing::HasSubstr;

BrokerConfig Read(const std::string& text) {
  Result<BrokerConfig> config = ParseBrokerConfig("version = 1\n" + text, "t.toml");
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().message);
  return config ? *config : BrokerConfig{};
}

std::string ProblemOf(const std::string& text) {
  const Result<BrokerConfig> config = ParseBrokerConfig("version = 1\n" + text, "t.toml");
  EXPECT_FALSE(config.has_value()) << text;
  return config ? "" : config.error().message;
}

TEST(BrokerConfig, EmptyFileMeansTheDocumentedDefaults) {
  const BrokerConfig config = Read("");
  EXPECT_EQ(config.socket, "/run/tidewaiter/broker.sock");
  EXPECT_EQ(config.max_runs, 256U);
  EXPECT_EQ(config.docker.socket, "/run/docker.sock");
  EXPECT_EQ(config.max_connections, 1024U);
  EXPECT_EQ(config.max_message_bytes, 4 << 20);
  EXPECT_EQ(config.max_receive_memory_bytes, 256 << 20);
}

TEST(BrokerConfig, ReadsEveryKey) {
  const BrokerConfig config = Read(R"(socket = "/a/s"
socket_mode = "0660"
policy = "/a/p"
state_dir = "/a/st"
audit_dir = "/a/au"
log_level = "debug"
max_runs = 3
max_queued = 0
queue_timeout = "2s"
prepare_timeout = "3s"
stop_grace = "4s"
teardown_timeout = "5s"
audit_deadline = "6s"
output_stall = "7s"
drain_timeout = "8s"
max_connections = 10
max_connections_per_uid = 4
max_calls_per_connection = 5
connection_idle_timeout = "1h30m"
max_message = "8MiB"
max_receive_memory = "512MiB"
[docker]
socket = "/d"
[registry]
plain_http = ["127.0.0.1:5000", "localhost:1", "[::1]:5"]
auth_file = "/a/auth"
[seccomp_profiles]
strict = "/a/strict.json"
)");
  EXPECT_EQ(config.socket_mode, 0660U);
  EXPECT_EQ(config.max_queued, 0U);
  EXPECT_EQ(config.drain_timeout, std::chrono::seconds(8));
  EXPECT_EQ(config.connection_idle_timeout, std::chrono::minutes(90));
  EXPECT_EQ(config.max_message_bytes, 8 << 20);
  EXPECT_EQ(config.max_receive_memory_bytes, 512 << 20);
  EXPECT_EQ(config.max_connections_per_uid, 4U);
  EXPECT_EQ(config.registry.plain_http.size(), 3U);
  EXPECT_EQ(config.seccomp_profiles.at("strict"), "/a/strict.json");
}

TEST(BrokerConfig, EveryProblemIsToldAtOnceWithItsPlace) {
  const std::string problems =
      ProblemOf("socket = \"relative\"\nmax_run = 3\nstop_grace = \"soon\"\n");
  EXPECT_THAT(problems, HasSubstr("t.toml:2:"));
  EXPECT_THAT(problems, HasSubstr("t.toml:3:"));
  EXPECT_THAT(problems, HasSubstr("max_run"));
  EXPECT_THAT(problems, HasSubstr("t.toml:4:"));
}

TEST(BrokerConfig, PlainHttpIsForLoopbackOnly) {
  for (const char* registry : {"registry.example:5000", "127.0.0.1.evil.example:80", "127.0.0.1",
                               "10.0.0.1:5000", "localhost.example:1", "127.0.0.1:"}) {
    EXPECT_THAT(ProblemOf("[registry]\nplain_http = [\"" + std::string(registry) + "\"]\n"),
                HasSubstr("TLS"))
        << registry;
  }
}

TEST(BrokerConfig, KubernetesTableIsRefusedClearly) {
  EXPECT_THAT(ProblemOf("[kubernetes]\nkubeconfig = \"\"\ncontext = \"\"\nnamespace = \"x\"\n"),
              HasSubstr("no kubernetes backend"));
}

TEST(BrokerConfig, ZeroNeverMeansUnlimited) {
  ProblemOf("max_runs = 0\n");
  ProblemOf("stop_grace = \"0s\"\n");
  ProblemOf("max_connections = 0\n");
  ProblemOf("max_message = \"0\"\n");
  ProblemOf("max_receive_memory = \"0\"\n");
}

TEST(BrokerConfig, SocketModeIsOctalAndNotExecutable) {
  ProblemOf("socket_mode = \"666\"\n");
  ProblemOf("socket_mode = \"0777\"\n");
  ProblemOf("socket_mode = \"0999\"\n");
}

TEST(BrokerConfig, SocketPathFitsTheKernelsLimit) {
  EXPECT_THAT(ProblemOf("socket = \"/" + std::string(120, 'x') + "\"\n"), HasSubstr("107"));
}

TEST(BrokerConfig, OneUidGetsAtMostAllConnections) {
  ProblemOf("max_connections = 4\nmax_connections_per_uid = 5\n");
  EXPECT_EQ(Read("max_connections = 10\n").max_connections_per_uid, 5U);
}

TEST(ReadFile, RefusesWhatIsTooLargeOrNoFile) {
  EXPECT_FALSE(ReadFile("/proc/self/maps", 4).has_value());
  EXPECT_FALSE(ReadFile("/", 100).has_value());
  EXPECT_FALSE(ReadFile("/nonexistent", 100).has_value());
}

}  // namespace
}  // namespace tidewaiter::config
