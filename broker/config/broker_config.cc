#include "broker/config/broker_config.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/printable.h"
#include "base/toml_document.h"
#include "broker/config/forward_address.h"
#include "broker/config/loopback_address.h"
#include "broker/config/toml_values.h"

namespace tidewaiter::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string NextTo(const std::string& policy) {
  constexpr std::string_view kEnding = ".toml";
  std::string_view stem = policy;
  if (stem.ends_with(kEnding)) stem.remove_suffix(kEnding.size());
  return std::string(stem) + ".next.toml";
}

void ReadSocketPath(TomlTable& table, std::string_view key, std::string& out) {
  ReadPath(table, key, out);
  if (out.size() >= sizeof(sockaddr_un::sun_path)) {
    table.Problem(key, fmt::format("{} bytes: a socket's path has at most {} (unix(7))", out.size(),
                                   sizeof(sockaddr_un::sun_path) - 1));
  }
}

void ReadSocketMode(TomlTable& root, std::string_view key, std::uint32_t& out) {
  const std::optional<std::string> text = root.String(key);
  if (!text) return;
  const bool octal =
      text->size() == 4 && text->front() == '0' &&
      std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '7'; });
  const std::uint32_t mode = octal ? static_cast<std::uint32_t>(std::stoul(*text, nullptr, 8)) : 0;
  if (!octal || (mode & 0111U) != 0) {
    root.Problem(key, fmt::format("{} is no mode of a socket: \"0660\", \"0666\"", Quoted(*text)));
    return;
  }
  out = mode;
}

// Empty, as where a key is not given, is off. Whoever reaches a probe's address is not asked who it
// is, so that address must not be one that others reach.
void ReadHealth(TomlTable& root, BrokerConfig& config) {
  if (const auto path = root.String("health_socket"); path && !path->empty()) {
    ReadSocketPath(root, "health_socket", config.health_socket);
    if (config.health_socket == config.socket) {
      root.Problem("health_socket", "the same path as 'socket': probes ask on one of their own");
    }
  }
  ReadSocketMode(root, "health_socket_mode", config.health_socket_mode);
  const std::optional<std::string> tcp = root.String("health_tcp");
  if (!tcp || tcp->empty()) return;
  if (!ParseLoopbackAddress(*tcp)) {
    root.Problem("health_tcp",
                 fmt::format("{} is no loopback address with a port, as \"127.0.0.1:9177\" or "
                             "\"[::1]:9177\"; no other is listened on",
                             Quoted(*tcp)));
    return;
  }
  config.health_tcp = *tcp;
}

void ReadLogLevel(TomlTable& root, BrokerConfig& config) {
  constexpr std::array<std::string_view, 4> kLevels{"error", "warning", "info", "debug"};
  const std::optional<std::string> level = root.String("log_level");
  if (!level) return;
  if (std::find(kLevels.begin(), kLevels.end(), *level) == kLevels.end()) {
    root.Problem("log_level",
                 fmt::format("{} is no level: error, warning, info or debug", Quoted(*level)));
    return;
  }
  config.log_level = *level;
}

void ReadRegistry(TomlTable registry, BrokerConfig& config) {
  if (const auto plain = registry.Strings("plain_http")) {
    for (std::size_t i = 0; i < plain->size(); ++i) {
      if (!IsLoopbackHostAndPort((*plain)[i])) {
        registry.ElementProblem("plain_http", i,
                                fmt::format("{} is not on this machine: HOST:PORT with a loopback "
                                            "address; everything else is spoken to with TLS",
                                            Quoted((*plain)[i])));
      }
    }
    config.registry.plain_http = *plain;
  }
  if (const auto auth_file = registry.String("auth_file"); auth_file && !auth_file->empty()) {
    ReadPath(registry, "auth_file", config.registry.auth_file);
  }
  if (const auto ca_file = registry.String("ca_file"); ca_file && !ca_file->empty()) {
    ReadPath(registry, "ca_file", config.registry.ca_file);
  }
  ReadDuration(registry, "call_timeout", seconds(1), minutes(10), config.registry.call_timeout);
  ReadDuration(registry, "tag_memory", milliseconds(0), hours(1), config.registry.tag_memory);
  ReadCount(registry, "tag_memory_entries", 1'000'000, config.registry.tag_memory_entries);
}

void ReadDocker(TomlTable docker, BrokerConfig::Docker& out) {
  ReadSocketPath(docker, "socket", out.socket);
  ReadDuration(docker, "call_timeout", seconds(1), minutes(10), out.call_timeout);
  ReadDuration(docker, "create_timeout", seconds(1), hours(1), out.create_timeout);
  ReadDuration(docker, "attach_timeout", seconds(1), hours(1), out.attach_timeout);
  ReadDuration(docker, "start_timeout", seconds(1), hours(1), out.start_timeout);
  // What is silent longer than a check may take must still be waited for by the call itself.
  out.check_timeout = std::min(out.check_timeout, out.call_timeout);
  ReadDuration(docker, "check_timeout", seconds(1), out.call_timeout, out.check_timeout);
  ReadDuration(docker, "ping_interval", seconds(1), minutes(10), out.ping_interval);
  ReadDuration(docker, "pull_silence", seconds(1), hours(1), out.pull_silence);
  ReadDuration(docker, "event_retry_max", milliseconds(100), minutes(1), out.event_retry_max);
  ReadDuration(docker, "event_loss_limit", seconds(1), hours(1), out.event_loss_limit);
  ReadDuration(docker, "settle_time", seconds(1), minutes(10), out.settle_time);
}

// As long as runs and what is kept of them may live: their ends are looked up in the log.
constexpr milliseconds kShortestRetention = hours(720);

void ReadSegments(TomlTable& audit, BrokerConfig::Audit& out) {
  ReadSize(audit, "segment_size", std::int64_t{1} << 20U, std::int64_t{16} << 30U,
           out.segment_bytes);
  ReadDuration(audit, "segment_age", minutes(1), hours(24 * 366), out.segment_age);
  ReadSize(audit, "reserve", std::int64_t{1} << 20U, std::int64_t{1} << 30U, out.reserve_bytes);
  ReadCount(audit, "checkpoint_records", 1'000'000, out.checkpoint_records);
  ReadDuration(audit, "checkpoint_interval", milliseconds(100), hours(1), out.checkpoint_interval);
  if (const auto compress = audit.Bool("compress")) out.compress = *compress;
  ReadDuration(audit, "retention", seconds(0), hours(24 * 366 * 30), out.retention);
  if (out.retention.count() > 0 && out.retention < kShortestRetention) {
    audit.Problem("retention", "expected 0 (for ever) or at least 720h");
  }
}

// Where the log's records and checkpoints go besides its own folder. Empty, as where a key is not
// given, is nowhere.
void ReadForwarding(TomlTable& audit, const BrokerConfig& config, BrokerConfig::Audit& out) {
  if (const auto journald = audit.Bool("journald")) out.journald = *journald;
  ReadSocketPath(audit, "journald_socket", out.journald_socket);
  if (const auto syslog = audit.String("syslog"); syslog && !syslog->empty()) {
    out.syslog = *syslog;
    if (!ParseSyslogAddress(*syslog)) {
      audit.Problem("syslog", fmt::format("{} is no address of a syslog server: "
                                          "\"unix:/dev/log\" or \"tls://HOST:PORT\"",
                                          Quoted(*syslog)));
    }
  }
  if (const auto sink = audit.String("checkpoint_sink"); sink && !sink->empty()) {
    out.checkpoint_sink = *sink;
    const std::optional<CheckpointAddress> address = ParseCheckpointAddress(*sink);
    if (!address) {
      audit.Problem("checkpoint_sink",
                    fmt::format("{} is no place for checkpoints: \"file:/PATH\" or "
                                "\"https://HOST/PATH\" (http on a loopback address alone)",
                                Quoted(*sink)));
    } else if (address->file.starts_with(config.audit_dir + '/') ||
               address->file.starts_with(config.state_dir + '/')) {
      audit.Problem("checkpoint_sink",
                    fmt::format("{} is a folder of the broker's own: whoever cuts the log off "
                                "there changes this, too; a place outside this host",
                                Quoted(address->file.substr(0, address->file.rfind('/')))));
    }
  }
  if (const auto ca_file = audit.String("syslog_ca_file"); ca_file && !ca_file->empty()) {
    ReadPath(audit, "syslog_ca_file", out.syslog_ca_file);
  }
  if (const auto ca_file = audit.String("checkpoint_ca_file"); ca_file && !ca_file->empty()) {
    ReadPath(audit, "checkpoint_ca_file", out.checkpoint_ca_file);
  }
}

void ReadSeccompProfiles(TomlTable profiles, BrokerConfig& config) {
  for (const std::string& name : profiles.Keys()) {
    ReadPath(profiles, name, config.seccomp_profiles[name]);
  }
}

void ReadRunSettings(TomlTable& root, BrokerConfig& config) {
  constexpr std::uint32_t kMostRuns = 4096;
  ReadCount(root, "max_runs", kMostRuns, config.max_runs);
  if (const auto queued = root.Int("max_queued", 0, kMostRuns)) {
    config.max_queued = static_cast<std::uint32_t>(*queued);
  }
  config.max_runs_per_principal = std::max(1U, config.max_runs / 2);
  ReadCount(root, "max_runs_per_principal", 2 * kMostRuns, config.max_runs_per_principal);
  ReadCount(root, "max_detached_runs_per_principal", 50'000,
            config.max_detached_runs_per_principal);
  ReadDuration(root, "queue_timeout", milliseconds(100), hours(24), config.queue_timeout);
  ReadDuration(root, "prepare_timeout", seconds(1), hours(6), config.prepare_timeout);
  ReadDuration(root, "stop_grace", milliseconds(1), hours(1), config.stop_grace);
  ReadDuration(root, "teardown_timeout", seconds(1), hours(1), config.teardown_timeout);
  ReadDuration(root, "audit_deadline", milliseconds(100), seconds(60), config.audit_deadline);
  ReadDuration(root, "output_stall", milliseconds(100), hours(1), config.output_stall);
  ReadDuration(root, "input_timeout", seconds(1), hours(6), config.input_timeout);
  ReadDuration(root, "output_timeout", seconds(1), hours(6), config.output_timeout);
  ReadDuration(root, "retention", seconds(0), hours(24 * 366), config.retention);
  ReadDuration(root, "input_stall", milliseconds(100), hours(1), config.input_stall);
  ReadSize(root, "max_input_bytes_per_principal", 1, std::int64_t{1} << 50U,
           config.max_input_bytes_per_principal);
  ReadSize(root, "max_kept_bytes_per_principal", 1, std::int64_t{1} << 50U,
           config.max_kept_bytes_per_principal);
  ReadSize(root, "min_free_bytes", 0, std::int64_t{1} << 50U, config.min_free_bytes);
  ReadDuration(root, "drain_timeout", milliseconds(1), hours(24), config.drain_timeout);
  ReadDuration(root, "reap_interval", seconds(1), hours(24), config.reap_interval);
  ReadDuration(root, "reap_retry_min", milliseconds(100), hours(1), config.reap_retry_min);
  // The pauses grow: where only the first is given, it may lie above the last one's default.
  config.reap_retry_max = std::max(config.reap_retry_max, config.reap_retry_min);
  ReadDuration(root, "reap_retry_max", config.reap_retry_min, hours(24), config.reap_retry_max);
}

void ReadConnectionSettings(TomlTable& root, BrokerConfig& config) {
  constexpr std::uint32_t kMostConnections = 65'536;
  ReadCount(root, "max_connections", kMostConnections, config.max_connections);
  config.max_connections_per_uid =
      std::min(config.max_connections_per_uid, std::max(1U, config.max_connections / 2));
  ReadCount(root, "max_connections_per_uid", config.max_connections,
            config.max_connections_per_uid);
  ReadCount(root, "max_calls_per_connection", 4096, config.max_calls_per_connection);
  ReadDuration(root, "connection_idle_timeout", seconds(1), hours(24),
               config.connection_idle_timeout);
  ReadSize(root, "max_message", std::int64_t{1} << 20U, std::int64_t{64} << 20U,
           config.max_message_bytes);
  // At least two of the largest messages that gRPC lets in, each twice max_message.
  config.max_receive_memory_bytes =
      std::max(config.max_receive_memory_bytes, 4 * config.max_message_bytes);
  ReadSize(root, "max_receive_memory",
           std::max(std::int64_t{64} << 20U, 4 * config.max_message_bytes), std::int64_t{1} << 40U,
           config.max_receive_memory_bytes);
}

}  // namespace

Result<BrokerConfig> ParseBrokerConfig(std::string_view toml, std::string_view file_name) {
  TW_ASSIGN(TomlDocument document, TomlDocument::Parse(toml, file_name));
  TomlTable root = document.Root();
  BrokerConfig config;
  root.RequiredInt("version", 1, 1);
  ReadSocketPath(root, "socket", config.socket);
  ReadSocketMode(root, "socket_mode", config.socket_mode);
  ReadHealth(root, config);
  ReadPath(root, "policy", config.policy);
  config.shadow_policy = NextTo(config.policy);
  ReadPath(root, "shadow_policy", config.shadow_policy);
  ReadPath(root, "state_dir", config.state_dir);
  ReadPath(root, "audit_dir", config.audit_dir);
  ReadLogLevel(root, config);
  ReadRunSettings(root, config);
  ReadConnectionSettings(root, config);
  if (auto audit = root.Table("audit")) {
    ReadSegments(*audit, config.audit);
    ReadForwarding(*audit, config, config.audit);
  }
  if (auto docker = root.Table("docker")) ReadDocker(*docker, config.docker);
  if (auto registry = root.Table("registry")) ReadRegistry(*registry, config);
  if (auto profiles = root.Table("seccomp_profiles")) ReadSeccompProfiles(*profiles, config);
  if (auto kubernetes = root.Table("kubernetes")) {
    config.kubernetes = ReadKubernetes(*kubernetes);
  }
  TW_TRY(document.Finish());
  return config;
}

}  // namespace tidewaiter::config
