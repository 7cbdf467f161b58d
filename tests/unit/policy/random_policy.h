// Random policies for the property tests, as data: every key of a policy that docs/POLICY.md lists
// can be there or not. The principals and the inheritance are the file's, not the policy's.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/limit_table.h"
#include "tests/unit/policy/random_run.h"
#include "tests/unit/policy/random_source.h"

namespace tidewaiter::policy {

using Names = std::vector<std::string>;

struct DraftEntry {
  std::string repository;
  std::optional<std::string> versions;
  Names digests;
};

struct DraftLimit {
  std::optional<std::int64_t> default_value;
  std::optional<std::int64_t> max;
};

// Nothing: the key is not in the file.
struct PolicyDraft {
  std::optional<std::string> mode;
  std::optional<std::string> backend;
  std::optional<std::string> tag;
  std::optional<std::string> digest;
  std::optional<bool> verify_tag;
  std::vector<DraftEntry> images;
  std::array<DraftLimit, kLimitCount> limits;
  std::optional<Names> binds;
  std::optional<bool> writable;
  std::optional<Names> modes;
  std::optional<Names> capabilities;
  std::optional<bool> allow_root;
  std::optional<bool> allow_writable;
  std::optional<Names> runtimes;
  std::optional<Names> seccomp;

  // The whole file of this policy alone.
  [[nodiscard]] std::string File() const {
    return "version = 1\n" + (mode ? fmt::format("mode = \"{}\"\n", *mode) : "") + Tables("");
  }
  // Its backend and its tables, each of these under `prefix` ("" or "policy.NAME."), for behind
  // what begins the file or the policy.
  [[nodiscard]] std::string Tables(const std::string& prefix) const;
};

namespace draft {

inline std::string Text(const std::string& value) {
  return '"' + value + '"';
}
inline std::string Text(bool value) {
  return value ? "true" : "false";
}
inline std::string Text(const Names& values) {
  std::string text = "[";
  for (const std::string& value : values) text += Text(value) + ", ";
  return text + "]";
}
template <typename T>
std::string Key(std::string_view key, const std::optional<T>& value) {
  return value ? fmt::format("{} = {}\n", key, Text(*value)) : std::string();
}
inline std::string LimitKey(std::string_view key, const LimitInfo& info,
                            const std::optional<std::int64_t>& value) {
  if (!value) return {};
  const std::string text = FormatLimit(info.unit, *value);
  return fmt::format("{} = {}\n", key, info.unit == LimitUnit::kCount ? text : Text(text));
}

}  // namespace draft

inline std::string PolicyDraft::Tables(const std::string& prefix) const {
  std::string toml = draft::Key("backend", backend);
  const auto table = [&](std::string_view name, const std::string& keys) {
    if (!keys.empty()) toml += fmt::format("[{}{}]\n{}", prefix, name, keys);
  };
  table("images", draft::Key("tag", tag) + draft::Key("digest", digest) +
                      draft::Key("verify_tag", verify_tag));
  for (const DraftEntry& entry : images) {
    toml += fmt::format("[[{}images.allow]]\nrepository = \"{}\"\n", prefix, entry.repository);
    toml += draft::Key("versions", entry.versions);
    if (!entry.digests.empty()) toml += "digests = " + draft::Text(entry.digests) + "\n";
  }
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    table("limits." + std::string(kLimits[i].key),
          draft::LimitKey("default", kLimits[i], limits[i].default_value) +
              draft::LimitKey("max", kLimits[i], limits[i].max));
  }
  table("mounts", draft::Key("allow", binds) + draft::Key("writable", writable));
  table("network", draft::Key("modes", modes));
  table("capabilities", draft::Key("allow", capabilities));
  table("user", draft::Key("allow_root", allow_root));
  table("rootfs", draft::Key("allow_writable", allow_writable));
  table("runtimes", draft::Key("allow", runtimes));
  table("seccomp", draft::Key("allow", seccomp));
  return toml;
}

inline DraftEntry RandomEntry(RandomSource& random, bool development) {
  DraftEntry entry;
  entry.repository = random.Text({"ghcr.io/team/*", "ghcr.io/team/**", "ghcr.io/team/a",
                                  "ghcr.io/team/sub/*", "quay.io/org/*"});
  if (development && random.Chance(20))
    entry.repository = random.Text({"ghcr.io/**", "quay.io/*/a"});
  if (random.Chance(60)) {
    entry.versions =
        random.Text({"*", "1.x", "^1.2", ">=1.2.0 <2.0.0", ">=1.2.3-rc.0 <2.0.0", "<=2",
                     ">=2.0.0-rc.0", "1.2.3 || 2.x", "<2.0.0-rc.2", "1.2.0 - 1.9 || ~2.0.0-rc.0"});
  }
  if (random.Chance(30)) {
    entry.digests = random.Chance(50)
                        ? Names{RandomDigest(random)}
                        : Names{"sha256:" + std::string(64, 'a'), "sha256:" + std::string(64, 'b')};
  }
  return entry;
}

// One that loads.
inline PolicyDraft RandomPolicy(RandomSource& random) {
  PolicyDraft policy;
  const bool development = random.Chance(40);
  if (development || random.Chance(50)) policy.mode = development ? "development" : "production";
  if (random.Chance(50)) policy.tag = development && random.Chance(70) ? "any" : "semver";
  if (random.Chance(50)) policy.digest = development && random.Chance(70) ? "optional" : "required";
  const auto flag = [&](std::optional<bool>& value) {
    if (random.Chance(60)) value = random.Chance(60);
  };
  const auto names = [&](std::optional<Names>& value, const Names& from) {
    if (random.Chance(70)) value = random.Some(from);
  };
  flag(policy.verify_tag);
  for (std::size_t i = random.Below(4); i > 0; --i) {
    policy.images.push_back(RandomEntry(random, development));
  }
  if (random.Chance(60)) policy.images.push_back({"ghcr.io/team/**", std::nullopt, {}});
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    const LimitInfo& info = kLimits[i];
    const std::vector<std::int64_t> values{info.smallest, info.built_in_default, info.built_in_max};
    DraftLimit& limit = policy.limits[i];
    if (random.Chance(30)) limit.max = random.Pick(values);
    if (!random.Chance(20)) continue;
    limit.default_value = std::min(random.Pick(values), limit.max.value_or(info.built_in_max));
  }
  names(policy.binds, {"/srv/a", "/srv/a/b", "/srv/c"});
  flag(policy.writable);
  names(policy.modes, {"none", "isolated", "bridge"});
  if (policy.modes && policy.modes->empty()) policy.modes->emplace_back("none");
  names(policy.capabilities, {"KILL", "CAP_CHOWN"});
  flag(policy.allow_root);
  flag(policy.allow_writable);
  names(policy.runtimes, {"runsc", "kata"});
  names(policy.seccomp, {"strict", "build"});
  if (random.Chance(40)) policy.backend = random.Text({"docker", "kubernetes"});
  return policy;
}

}  // namespace tidewaiter::policy
