// A run with every default filled in and every value in canonical form: what will really be
// enforced.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policy/image_reference.h"
#include "policy/run_spec.h"

namespace tidewaiter::policy {

struct Limits {
  std::int64_t memory_bytes = 0;
  std::int64_t cpu_millis = 0;  // thousandths of one CPU
  std::int64_t pids = 0;
  std::chrono::milliseconds timeout{0};
  std::int64_t tmpfs_bytes = 0;
  std::int64_t log_bytes = 0;
  std::int64_t open_files = 0;
  std::int64_t input_bytes = 0;
  std::int64_t output_bytes = 0;
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct UserId {
  std::uint32_t uid = 65534;
  std::uint32_t gid = 65534;
  friend bool operator==(const UserId&, const UserId&) = default;
};

struct EffectiveRun {
  ImageReference image;
  bool verify_tag =
      true;  // the registry must agree that the tag means the digest before anything is created
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string working_dir;
  UserId user;
  std::map<std::string, std::string> labels;
  Limits limits;
  NetworkMode network = NetworkMode::kNone;
  std::vector<Mount>
      mounts;  // sources resolved, tmpfs sizes filled in; an implied /tmp tmpfs is included
  std::vector<std::string> add_capabilities;  // without "CAP_", upper case, sorted, unique
  bool read_only_rootfs = true;
  std::string runtime;
  std::string seccomp_profile;
  Tenant tenant;
  std::string backend;
  std::string idempotency_key;

  // Of the policy that filled the run in, and in no spec: what a backend has to know that can
  // enforce a limit for all runs alike, but not for one (policy/kubernetes_support.h).
  std::int64_t default_pids = 0;
  std::int64_t default_open_files = 0;
  std::int64_t default_input_bytes = 0;
  bool development = false;  // the policy's mode
  friend bool operator==(const EffectiveRun&, const EffectiveRun&) = default;

  // The same run as a caller could have asked for it; evaluating it again admits it unchanged.
  [[nodiscard]] RunSpec ToSpec() const;
};

}  // namespace tidewaiter::policy
