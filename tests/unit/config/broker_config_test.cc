#include "broker/config/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/project_file.h"

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

// Every key that there is, each with another value than its default.
const char* const kEveryKey = R"(socket = "/a/s"
socket_mode = "0660"
health_socket = "/a/h"
health_socket_mode = "0600"
health_tcp = "127.0.0.1:9177"
policy = "/a/p"
shadow_policy = "/a/sh"
state_dir = "/a/st"
audit_dir = "/a/au"
log_level = "debug"
max_runs = 3
max_queued = 0
max_runs_per_principal = 14
queue_timeout = "2s"
prepare_timeout = "3s"
stop_grace = "4s"
teardown_timeout = "5s"
audit_deadline = "6s"
output_stall = "7s"
input_timeout = "1m"
input_stall = "14s"
retention = "2h"
max_detached_runs_per_principal = 77
max_kept_bytes_per_principal = "5GiB"
output_timeout = "2m"
max_input_bytes_per_principal = "3GiB"
min_free_bytes = "5GiB"
drain_timeout = "8s"
reap_interval = "9s"
reap_retry_min = "2m"
reap_retry_max = "3m"
max_connections = 10
max_connections_per_uid = 4
max_calls_per_connection = 5
connection_idle_timeout = "1h30m"
max_message = "8MiB"
max_receive_memory = "512MiB"
[audit]
segment_size = "1MiB"
segment_age = "1h"
reserve = "2MiB"
checkpoint_records = 7
checkpoint_interval = "2s"
compress = false
retention = "720h"
journald = true
journald_socket = "/a/j"
syslog = "tls://log.example:6514"
syslog_ca_file = "/a/syslog.pem"
checkpoint_sink = "https://notes.example/tidewaiter"
checkpoint_ca_file = "/a/notes.pem"
[docker]
socket = "/d"
call_timeout = "20s"
create_timeout = "2s"
start_timeout = "3s"
pull_silence = "4s"
event_retry_max = "5s"
event_loss_limit = "6s"
settle_time = "7s"
attach_timeout = "11s"
check_timeout = "12s"
ping_interval = "13s"
[registry]
plain_http = ["127.0.0.1:5000", "localhost:1", "[::1]:5"]
auth_file = "/a/auth"
ca_file = "/a/ca.pem"
call_timeout = "8s"
tag_memory = "0s"
tag_memory_entries = 9
[seccomp_profiles]
strict = "/a/strict.json"
)";

const std::string kExample = testing::ProjectFile("systemd/example/tidewaiter.toml");

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// "[docker]" and "call_timeout", whatever their values, in order.
std::vector<std::string> TablesAndKeys(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& line : Lines(text)) {
    if (!line.empty() && line[0] != '#') names.push_back(line.substr(0, line.find_first_of(" =")));
  }
  return names;
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
  const BrokerConfig config = Read(kEveryKey);
  EXPECT_EQ(config.shadow_policy, "/a/sh");
  EXPECT_EQ(config.socket_mode, 0660U);
  EXPECT_EQ(config.health_socket, "/a/h");
  EXPECT_EQ(config.health_socket_mode, 0600U);
  EXPECT_EQ(config.health_tcp, "127.0.0.1:9177");
  EXPECT_EQ(config.max_queued, 0U);
  EXPECT_EQ(config.max_runs_per_principal, 14U);
  EXPECT_EQ(config.reap_interval, std::chrono::seconds(9));
  EXPECT_EQ(config.input_timeout, std::chrono::minutes(1));
  EXPECT_EQ(config.input_stall, std::chrono::seconds(14));
  EXPECT_EQ(config.retention, std::chrono::hours(2));
  EXPECT_EQ(config.max_detached_runs_per_principal, 77U);
  EXPECT_EQ(config.max_kept_bytes_per_principal, std::int64_t{5} << 30);
  EXPECT_EQ(config.output_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config.max_input_bytes_per_principal, std::int64_t{3} << 30);
  EXPECT_EQ(config.min_free_bytes, std::int64_t{5} << 30);
  EXPECT_EQ(config.reap_retry_min, std::chrono::minutes(2));
  EXPECT_EQ(config.reap_retry_max, std::chrono::minutes(3));
  EXPECT_EQ(config.audit.segment_bytes, 1 << 20);
  EXPECT_EQ(config.audit.segment_age, std::chrono::hours(1));
  EXPECT_EQ(config.audit.reserve_bytes, 2 << 20);
  EXPECT_EQ(config.audit.checkpoint_records, 7U);
  EXPECT_EQ(config.audit.checkpoint_interval, std::chrono::seconds(2));
  EXPECT_FALSE(config.audit.compress);
  EXPECT_EQ(config.audit.retention, std::chrono::hours(720));
  EXPECT_TRUE(config.audit.journald);
  EXPECT_EQ(config.audit.journald_socket, "/a/j");
  EXPECT_EQ(config.audit.syslog, "tls://log.example:6514");
  EXPECT_EQ(config.audit.syslog_ca_file, "/a/syslog.pem");
  EXPECT_EQ(config.audit.checkpoint_sink, "https://notes.example/tidewaiter");
  EXPECT_EQ(config.audit.checkpoint_ca_file, "/a/notes.pem");
  EXPECT_EQ(config.docker.call_timeout, std::chrono::seconds(20));
  EXPECT_EQ(config.docker.create_timeout, std::chrono::seconds(2));
  EXPECT_EQ(config.docker.start_timeout, std::chrono::seconds(3));
  EXPECT_EQ(config.docker.pull_silence, std::chrono::seconds(4));
  EXPECT_EQ(config.docker.event_retry_max, std::chrono::seconds(5));
  EXPECT_EQ(config.docker.event_loss_limit, std::chrono::seconds(6));
  EXPECT_EQ(config.docker.settle_time, std::chrono::seconds(7));
  EXPECT_EQ(config.docker.attach_timeout, std::chrono::seconds(11));
  EXPECT_EQ(config.docker.check_timeout, std::chrono::seconds(12));
  EXPECT_EQ(config.docker.ping_interval, std::chrono::seconds(13));
  EXPECT_EQ(config.registry.auth_file, "/a/auth");
  EXPECT_EQ(config.registry.ca_file, "/a/ca.pem");
  EXPECT_EQ(config.registry.call_timeout, std::chrono::seconds(8));
  EXPECT_EQ(config.registry.tag_memory, std::chrono::seconds(0));
  EXPECT_EQ(config.registry.tag_memory_entries, 9U);
  EXPECT_EQ(config.drain_timeout, std::chrono::seconds(8));
  EXPECT_EQ(config.connection_idle_timeout, std::chrono::minutes(90));
  EXPECT_EQ(config.max_message_bytes, 8 << 20);
  EXPECT_EQ(config.max_receive_memory_bytes, 512 << 20);
  EXPECT_EQ(config.max_connections_per_uid, 4U);
  EXPECT_EQ(config.registry.plain_http.size(), 3U);
  EXPECT_EQ(config.seccomp_profiles.at("strict"), "/a/strict.json");
}

TEST(BrokerConfig, TheShadowPolicyIsBesideThePolicyWhereNoneIsNamed) {
  EXPECT_EQ(Read("policy = \"/a/p.toml\"\n").shadow_policy, "/a/p.next.toml");
  EXPECT_EQ(Read("policy = \"/a/p\"\n").shadow_policy, "/a/p.next.toml");
}

TEST(BrokerConfig, TheExampleHoldsTheDefaults) {
  const Result<std::string> text = ReadFile(kExample, kMaxFileBytes);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  const Result<BrokerConfig> config = ParseBrokerConfig(*text, "example");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(*config, BrokerConfig{});
}

TEST(BrokerConfig, TheExampleHasEveryKeyAndNoOther) {
  std::vector<std::string> known = TablesAndKeys(kEveryKey);
  known.insert(known.begin(), "version");
  std::erase(known, "strict");  // a profile's name
  EXPECT_THAT(TablesAndKeys(*ReadFile(kExample, kMaxFileBytes)),
              ::testing::UnorderedElementsAreArray(known));
}

TEST(BrokerConfig, UnknownKeysOfATableAreRefusedWithTheirPlace) {
  EXPECT_THAT(ProblemOf("[docker]\ncall_timeouts = \"1s\"\n"), HasSubstr("t.toml:3:1"));
  EXPECT_THAT(ProblemOf("[registry]\nttl = 1\n"), HasSubstr("t.toml:3:1"));
}

TEST(BrokerConfig, ThePausesOfTheReaperGrow) {
  EXPECT_THAT(ProblemOf("reap_retry_min = \"10s\"\nreap_retry_max = \"5s\"\n"),
              HasSubstr("t.toml:3:"));
  EXPECT_EQ(Read("reap_retry_min = \"2m\"\n").reap_retry_max, std::chrono::minutes(2));
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

TEST(BrokerConfig, ZeroNeverMeansUnlimited) {
  ProblemOf("max_runs = 0\n");
  ProblemOf("stop_grace = \"0s\"\n");
  ProblemOf("max_connections = 0\n");
  ProblemOf("max_message = \"0\"\n");
  ProblemOf("max_receive_memory = \"0\"\n");
  ProblemOf("reap_interval = \"0s\"\n");
  ProblemOf("[docker]\ncall_timeout = \"0s\"\n");
  ProblemOf("[docker]\nsettle_time = \"0s\"\n");
  ProblemOf("[registry]\ntag_memory_entries = 0\n");
}

TEST(BrokerConfig, SocketModeIsOctalAndNotExecutable) {
  ProblemOf("socket_mode = \"666\"\n");
  ProblemOf("socket_mode = \"0777\"\n");
  ProblemOf("socket_mode = \"0999\"\n");
}

TEST(BrokerConfig, SocketPathFitsTheKernelsLimit) {
  EXPECT_THAT(ProblemOf("socket = \"/" + std::string(120, 'x') + "\"\n"), HasSubstr("107"));
}

TEST(BrokerConfig, ProbesHaveASocketOfTheirOwn) {
  EXPECT_THAT(ProblemOf("socket = \"/a/s\"\nhealth_socket = \"/a/s\"\n"), HasSubstr("same path"));
  ProblemOf("health_socket = \"relative\"\n");
  EXPECT_THAT(ProblemOf("health_socket = \"/" + std::string(120, 'x') + "\"\n"), HasSubstr("107"));
  ProblemOf("health_socket_mode = \"0777\"\n");
}

TEST(BrokerConfig, ProbesAreAnsweredByTcpOnLoopbackAlone) {
  for (const char* address :
       {"0.0.0.0:9177", "192.0.2.1:9177", "[::]:9177", "[::ffff:127.0.0.1]:9177", "localhost:9177",
        "127.1:9177", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+80",
        "127.0.0.1:080", "127.0.0.1 :80", "::1:9177", ":9177", "9177"}) {
    EXPECT_THAT(ProblemOf("health_tcp = \"" + std::string(address) + "\"\n"),
                HasSubstr("no loopback address"))
        << address;
  }
  for (const char* address : {"127.0.0.1:9177", "127.9.9.9:1", "[::1]:65535", ""}) {
    EXPECT_EQ(Read("health_tcp = \"" + std::string(address) + "\"\n").health_tcp, address);
  }
}

TEST(BrokerConfig, RecordsGoToASyslogServerThatIsNamedInFull) {
  for (const char* address : {"/dev/log",
                              "unix:",
                              "unix:dev/log",
                              "unix:/a/../b",
                              "unix:/",
                              "tls://",
                              "tls://host",
                              "tls://host:",
                              "tls://host:0",
                              "tls://host:65536",
                              "tls://host:06514",
                              "tls://:6514",
                              "tls://user@host:6514",
                              "tls://host:6514/",
                              "tls://::1:6514",
                              "tls://[::1]",
                              "tls://[]:1",
                              "tls://-x:1",
                              "tcp://host:6514",
                              "udp://host:514",
                              "host:6514"}) {
    EXPECT_THAT(ProblemOf("[audit]\nsyslog = \"" + std::string(address) + "\"\n"),
                HasSubstr("t.toml:3:"))
        << address;
  }
  EXPECT_THAT(ProblemOf("[audit]\nsyslog = \"tcp://host:514\"\n"),
              HasSubstr("\"unix:/dev/log\" or \"tls://HOST:PORT\""));
  for (const char* address : {"", "unix:/dev/log", "tls://192.0.2.1:6514", "tls://[2001:db8::1]:1",
                              "tls://log-1.example:65535"}) {
    EXPECT_EQ(Read("[audit]\nsyslog = \"" + std::string(address) + "\"\n").audit.syslog, address);
  }
}

TEST(BrokerConfig, CheckpointsGoToAFileOrAUrlThatNobodyListensIn) {
  for (const char* sink : {"/a/checkpoint", "file:", "file:relative", "file:/", "file:///a",
                           "https://", "https://host", "https://host/", "https:///c",
                           "https://host:/c", "https://user:secret@host/c", "https://host/c d",
                           "https://host/c#d", "http://host/c", "http://10.0.0.1:80/c",
                           "http://127.0.0.1.evil.example/c", "ftp://host/c", "HTTPS://host/c"}) {
    EXPECT_THAT(ProblemOf("[audit]\ncheckpoint_sink = \"" + std::string(sink) + "\"\n"),
                HasSubstr("no place for checkpoints"))
        << sink;
  }
  for (const char* sink : {"", "file:/mnt/notes/checkpoint", "https://notes.example/a",
                           "https://[2001:db8::1]:1/a?b=c", "http://127.0.0.1:8080/a",
                           "http://localhost/a", "http://[::1]:80/a"}) {
    EXPECT_EQ(
        Read("[audit]\ncheckpoint_sink = \"" + std::string(sink) + "\"\n").audit.checkpoint_sink,
        sink);
  }
}

// Whoever cuts the log off there changes it, too.
TEST(BrokerConfig, CheckpointsDoNotLieWhereTheLogDoes) {
  for (const char* file : {"file:/var/log/tidewaiter/c", "file:/var/lib/tidewaiter/a/c"}) {
    EXPECT_THAT(ProblemOf("[audit]\ncheckpoint_sink = \"" + std::string(file) + "\"\n"),
                HasSubstr("a place outside this host"));
  }
  EXPECT_THAT(ProblemOf("audit_dir = \"/a\"\n[audit]\ncheckpoint_sink = \"file:/a/c\"\n"),
              HasSubstr("a place outside this host"));
  Read("[audit]\ncheckpoint_sink = \"file:/var/log/tidewaiter-notes/c\"\n");
}

TEST(BrokerConfig, TheLogIsKeptForEverOrAMonth) {
  EXPECT_THAT(ProblemOf("[audit]\nretention = \"719h\"\n"), HasSubstr("at least 720h"));
  EXPECT_EQ(Read("[audit]\nretention = \"0s\"\n").audit.retention, std::chrono::hours(0));
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
