// What a caller asks for, as plain data: the domain's form of tidewaiter.v1.RunSpec. Nothing here
// is checked; only policy::Evaluate turns it into something that a backend may run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tidewaiter::policy {

// Limits as asked for. Absent means the policy's default. `cpus` is in thousandths of one CPU and
// `timeout` in milliseconds, so that comparisons are exact; values that the wire form could not
// carry exactly (NaN, infinity, beyond the type) arrive here as the out-of-range value that the
// wire layer documents: -1.
struct RequestedLimits {
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> cpu_millis;
  std::optional<std::int64_t> pids;
  std::optional<std::int64_t> timeout_millis;
  std::optional<std::int64_t> tmpfs_bytes;
  std::optional<std::int64_t> log_bytes;
  std::optional<std::int64_t> open_files;
  std::optional<std::int64_t> input_bytes;
  std::optional<std::int64_t> output_bytes;
  friend bool operator==(const RequestedLimits&, const RequestedLimits&) = default;
};

enum class NetworkMode { kNone, kIsolated, kBridge };

struct BindMount {
  std::string source;  // absolute host path
  friend bool operator==(const BindMount&, const BindMount&) = default;
};
struct TmpfsMount {
  std::optional<std::int64_t> size_bytes;  // absent: limits.tmpfs_bytes
  friend bool operator==(const TmpfsMount&, const TmpfsMount&) = default;
};
struct InputMount {
  std::string name;
  friend bool operator==(const InputMount&, const InputMount&) = default;
};
struct OutputMount {
  std::string name;
  friend bool operator==(const OutputMount&, const OutputMount&) = default;
};
struct VolumeMount {
  std::string name;
  friend bool operator==(const VolumeMount&, const VolumeMount&) = default;
};

struct Mount {
  std::string target;
  bool read_only = false;
  // monostate: the caller named no source at all.
  std::variant<std::monostate, BindMount, TmpfsMount, InputMount, OutputMount, VolumeMount> source;
  friend bool operator==(const Mount&, const Mount&) = default;
};

struct Tenant {
  std::string challenge;
  std::string job;
  std::string task;
  friend bool operator==(const Tenant&, const Tenant&) = default;
};

struct RunSpec {
  std::string image;
  std::vector<std::string> command;  // argv; empty: the image's own
  std::map<std::string, std::string> env;
  std::string working_dir;  // empty: the image's own
  std::string user;         // empty: the policy's default
  std::map<std::string, std::string> labels;
  RequestedLimits limits;
  std::optional<NetworkMode> network;  // absent: none
  std::vector<Mount> mounts;
  std::vector<std::string> add_capabilities;
  std::optional<bool> read_only_rootfs;  // absent: true
  std::string runtime;                   // empty: the backend's default
  std::string seccomp_profile;           // empty: the engine's default profile
  Tenant tenant;
  std::string backend;  // empty: the broker's default backend
  std::string idempotency_key;
  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};

}  // namespace tidewaiter::policy
