// tidewaiter.toml as plain data: where the broker finds things and how much of everything it takes.
// What may run, and for whom, is the policy's (policy/). Pure but for ReadFile; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/config/kubernetes_config.h"

namespace tidewaiter::config {

// Of the configuration, the policy and each seccomp profile: more is not read, neither by the
// broker nor by what judges the files for it.
inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20U;

// systemd/example/tidewaiter.toml has every key with its default.
struct BrokerConfig {
  std::string socket = "/run/tidewaiter/broker.sock";
  // Permission bits of a socket that the broker makes itself. Everyone may connect by default: who
  // calls is the kernel's word, and a uid that is no principal is closed before a byte is read.
  std::uint32_t socket_mode = 0666;
  // Where probes ask over HTTP whether the broker lives and serves (broker/daemon/health_answer.h):
  // a second socket, and a loopback address "127.0.0.1:PORT" or "[::1]:PORT". Empty: none.
  std::string health_socket;
  std::uint32_t health_socket_mode = 0666;
  std::string health_tcp;
  std::string policy = "/etc/tidewaiter/policy.toml";
  // A policy that is tried beside that one (docs/POLICY.md, "Trying a policy"); where the file is
  // not there, none is. Not given: beside the policy, ".next" before its ".toml".
  std::string shadow_policy = "/etc/tidewaiter/policy.next.toml";
  std::string state_dir = "/var/lib/tidewaiter";
  std::string audit_dir = "/var/log/tidewaiter";
  std::string log_level = "info";  // error, warning, info, debug

  std::uint32_t max_runs = 256;
  std::uint32_t max_queued = 256;
  std::uint32_t max_runs_per_principal = 128;  // where it is not given: half of max_runs
  std::chrono::milliseconds queue_timeout{std::chrono::minutes(1)};
  std::chrono::milliseconds prepare_timeout{std::chrono::minutes(10)};
  std::chrono::milliseconds stop_grace{std::chrono::seconds(5)};
  std::chrono::milliseconds teardown_timeout{std::chrono::seconds(30)};
  std::chrono::milliseconds audit_deadline{std::chrono::seconds(5)};
  std::chrono::milliseconds output_stall{std::chrono::seconds(30)};
  // For all inputs of a run, and for all its outputs; and how long a client may send nothing of an
  // input that is waited for.
  std::chrono::milliseconds input_timeout{std::chrono::minutes(10)};
  std::chrono::milliseconds output_timeout{std::chrono::minutes(10)};
  std::chrono::milliseconds input_stall{std::chrono::seconds(30)};
  std::chrono::milliseconds retention{std::chrono::hours(1)};
  std::uint32_t max_detached_runs_per_principal = 10'000;
  // What the logs and archives of one principal's detached runs may hold together.
  std::int64_t max_kept_bytes_per_principal = std::int64_t{16} << 30U;
  // What the inputs of one principal's unfinished runs may hold together, once unpacked.
  std::int64_t max_input_bytes_per_principal = std::int64_t{16} << 30U;
  // A run with inputs or outputs begins, and goes on, only while state_dir's file system has so
  // much left.
  std::int64_t min_free_bytes = std::int64_t{1} << 30U;
  // How often the engine is compared with the runs that are known.
  std::chrono::milliseconds reap_interval{std::chrono::minutes(1)};
  // Pauses between two attempts at an overdue removal: doubled from the first to the second.
  std::chrono::milliseconds reap_retry_min{std::chrono::seconds(1)};
  std::chrono::milliseconds reap_retry_max{std::chrono::minutes(1)};
  // How long SIGTERM lets runs end by themselves before they are stopped.
  std::chrono::milliseconds drain_timeout{std::chrono::seconds(30)};

  std::uint32_t max_connections = 1024;
  // Of one uid; its oldest idle connection gives way to a new one beyond that.
  std::uint32_t max_connections_per_uid = 256;
  std::uint32_t max_calls_per_connection = 128;
  std::chrono::milliseconds connection_idle_timeout{std::chrono::minutes(10)};
  std::int64_t max_message_bytes = std::int64_t{4} << 20U;
  // Of one uid's connections together: what it may have sent that no handler has taken yet, as
  // messages whose second half never comes. Beyond it gRPC closes idle connections of that uid and
  // then ends its calls, which is better than the kernel ending the broker. Nothing is set aside
  // for it.
  std::int64_t max_receive_memory_bytes = std::int64_t{256} << 20U;

  // docs/FORWARDING.md. Empty: nowhere.
  struct Audit {
    // audit/log_store.h and audit/segment_keeper.h say what they bound.
    std::int64_t segment_bytes = std::int64_t{64} << 20U;
    std::chrono::milliseconds segment_age{std::chrono::hours(24)};
    std::int64_t reserve_bytes = std::int64_t{16} << 20U;
    std::uint32_t checkpoint_records = 1024;
    std::chrono::milliseconds checkpoint_interval{std::chrono::seconds(1)};
    bool compress = true;
    std::chrono::milliseconds retention{std::chrono::hours(24 * 400)};  // zero: for ever
    bool journald = false;
    std::string journald_socket = "/run/systemd/journal/socket";
    std::string syslog;              // as ParseSyslogAddress takes it
    std::string syslog_ca_file;      // PEM, trusted besides the system's
    std::string checkpoint_sink;     // as ParseCheckpointAddress takes it
    std::string checkpoint_ca_file;  // PEM, trusted besides the system's
    friend bool operator==(const Audit&, const Audit&) = default;
  } audit;

  struct Docker {
    std::string socket = "/run/docker.sock";
    // What each of them bounds: broker/docker/settings.h.
    std::chrono::milliseconds call_timeout{std::chrono::seconds(30)};
    std::chrono::milliseconds create_timeout{std::chrono::minutes(1)};
    std::chrono::milliseconds attach_timeout{std::chrono::seconds(30)};
    std::chrono::milliseconds start_timeout{std::chrono::minutes(2)};
    std::chrono::milliseconds check_timeout{std::chrono::seconds(5)};
    std::chrono::milliseconds ping_interval{std::chrono::seconds(10)};
    std::chrono::milliseconds pull_silence{std::chrono::minutes(2)};
    std::chrono::milliseconds event_retry_max{std::chrono::seconds(2)};
    std::chrono::milliseconds event_loss_limit{std::chrono::minutes(1)};
    std::chrono::milliseconds settle_time{std::chrono::seconds(10)};
    friend bool operator==(const Docker&, const Docker&) = default;
  } docker;

  struct Registry {
    std::vector<std::string> plain_http;  // "HOST:PORT", loopback only
    std::string auth_file;                // a docker config.json; empty: anonymous
    std::string ca_file;                  // PEM, trusted besides the system's; empty: those alone
    std::chrono::milliseconds call_timeout{std::chrono::seconds(15)};
    std::chrono::milliseconds tag_memory{std::chrono::minutes(1)};  // zero: ask every time
    std::uint32_t tag_memory_entries = 1024;
    friend bool operator==(const Registry&, const Registry&) = default;
  } registry;

  std::optional<KubernetesConfig> kubernetes;  // absent: no such backend

  std::map<std::string, std::string> seccomp_profiles;  // name -> path of the profile's JSON

  friend bool operator==(const BrokerConfig&, const BrokerConfig&) = default;
};

// `file_name` is used in messages only. Errors: INVALID_ARGUMENT (INVALID_FILE), every problem of
// the file, one `file:line:column: what: what would be right` a line.
Result<BrokerConfig> ParseBrokerConfig(std::string_view toml, std::string_view file_name);

// The whole of a regular file of at most `max_bytes`. Errors: errno's; RESOURCE_EXHAUSTED.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

}  // namespace tidewaiter::config
