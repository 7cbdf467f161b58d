// One named policy, as loaded: what Evaluate compares a run with. Everything is parsed at load, so
// that a decision parses nothing but the run. Immutable; any thread. Only the policy file's reader
// makes one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/image_allowlist.h"
#include "policy/limit_table.h"
#include "policy/run_spec.h"
#include "policy/shared.h"

namespace tidewaiter::policy {

struct Rules {
  bool development = false;  // the mode of the file
  std::string backend;       // of runs that name none; empty: the broker's default
  bool tag_must_be_semver = true;
  bool digest_required = true;
  bool verify_tag = true;
  Shared<ImageAllowlist> images;
  LimitRules limits{};
  Shared<std::vector<std::string>> bind_sources;  // absolute, normal, sorted: and what is below
  bool writable_binds = false;
  std::vector<NetworkMode> network_modes{NetworkMode::kNone};
  std::vector<std::string> capabilities;  // normalised, sorted, unique
  bool allow_root = false;
  bool allow_writable_rootfs = false;                 // no limit covers what is written there
  Shared<std::vector<std::string>> runtimes;          // sorted, unique
  Shared<std::vector<std::string>> seccomp_profiles;  // sorted, unique

  // The rules of an empty file: no image, built-in limits, nothing else.
  static Rules BuiltIn();
};

// "none", "isolated", "bridge", as the policy file writes them.
std::string_view ToString(NetworkMode mode) noexcept;

class Policy {
 public:
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // "sha256:HEX" of the bytes of the whole policy file.
  [[nodiscard]] const std::string& hash() const noexcept { return hash_; }
  [[nodiscard]] const Rules& rules() const noexcept { return rules_; }

 private:
  friend class PolicyFileReader;
  Policy(std::string name, std::string hash, Rules rules)
      : name_(std::move(name)), hash_(std::move(hash)), rules_(std::move(rules)) {}

  std::string name_;
  std::string hash_;
  Rules rules_;
};

}  // namespace tidewaiter::policy
