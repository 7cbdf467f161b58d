// Random runs and policies for the property tests: most are near what a policy admits, so that both
// answers occur.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "policy/limit_table.h"
#include "policy/run_spec.h"

namespace tidewaiter::policy {

class RandomRun {
 public:
  explicit RandomRun(std::uint32_t seed) : random_(seed) {}

  RunSpec Spec();
  // The tables of one policy, each key under `prefix` ("" or "policy.NAME.").
  std::string Tables(const std::string& prefix);

 private:
  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }
  bool Chance(std::size_t percent) { return Below(100) < percent; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  Mount RandomMount();

  std::mt19937 random_;
};

inline Mount RandomRun::RandomMount() {
  Mount mount;
  mount.target =
      Pick<std::string>({"/data", "/data/x", "/tmp", "/in", "/out", "/etc", "x", "/tmp/y"});
  mount.read_only = Chance(70);
  switch (Below(6)) {
    case 0:
      mount.source = BindMount{Pick<std::string>({"/srv/a", "/srv/a/b", "/srv", "/etc"})};
      break;
    case 1: mount.source = TmpfsMount{}; break;
    case 2: mount.source = TmpfsMount{Pick<std::int64_t>({0, 4096, 1 << 20, 1 << 30})}; break;
    case 3: mount.source = InputMount{Pick<std::string>({"i", "../i"})}; break;
    case 4: mount.source = OutputMount{Pick<std::string>({"o", "p"})}; break;
    default: mount.source = VolumeMount{"v"}; break;
  }
  return mount;
}

inline RunSpec RandomRun::Spec() {
  RunSpec spec;
  // Half of the runs depart from the defaults in few fields, or hardly any would be admitted.
  const std::size_t boldness = Chance(50) ? 1 : 8;
  const auto departs = [&](std::size_t percent) { return Chance(percent / boldness); };
  spec.image =
      Pick<std::string>({"ghcr.io/team/", "GHCR.io/team/", "ghcr.io/team/sub/", "quay.io/org/"}) +
      Pick<std::string>({"a", "b"}) +
      Pick<std::string>({":1.2.3", ":v1.9.0", ":2.0.0", ":1.2.3-rc.1", ":2.0.0-rc.1", ""}) +
      "@sha256:" + std::string(64, Pick<char>({'a', 'b'}));
  if (departs(30)) spec.command = {"sh", "-c", "true"};
  if (departs(30)) spec.env = {{Pick<std::string>({"A", "HOME", "B=C"}), "x\ny"}};
  if (departs(20)) spec.working_dir = Pick<std::string>({"/", "/data", "data"});
  if (departs(40)) spec.user = Pick<std::string>({"1000", "1000:2000", "0", "1:0", "root"});
  if (departs(20)) spec.labels = {{Pick<std::string>({"a", "io.tidewaiter.run"}), "b"}};
  for (const LimitInfo& info : kLimits) {
    if (!departs(15)) continue;
    spec.limits.*info.requested =
        Pick<std::int64_t>({info.smallest, info.built_in_default, info.built_in_max,
                            info.built_in_max + 1, info.smallest - 1});
  }
  if (departs(40)) {
    spec.network =
        Pick<NetworkMode>({NetworkMode::kNone, NetworkMode::kIsolated, NetworkMode::kBridge});
  }
  for (std::size_t i = departs(60) ? 1 + Below(2) : 0; i > 0; --i)
    spec.mounts.push_back(RandomMount());
  if (departs(30)) {
    spec.add_capabilities = {Pick<std::string>({"cap_kill", "CHOWN", "ALL"}),
                             Pick<std::string>({"KILL", "CHOWN"})};
  }
  if (departs(30)) spec.read_only_rootfs = Chance(50);
  if (departs(20)) spec.runtime = Pick<std::string>({"runsc", "runc"});
  if (departs(10)) spec.seccomp_profile = "strict";
  if (departs(20)) spec.tenant = {"c", "j", "t"};
  return spec;
}

inline std::string RandomRun::Tables(const std::string& prefix) {
  std::string toml;
  const auto table = [&](const std::string& name) { toml += "[" + prefix + name + "]\n"; };
  if (Chance(70)) {
    for (std::size_t i = 1 + Below(2); i > 0; --i) {
      toml += "[[" + prefix + "images.allow]]\nrepository = \"" +
              Pick<std::string>(
                  {"ghcr.io/team/*", "ghcr.io/team/**", "ghcr.io/team/a", "quay.io/org/*"}) +
              "\"\n";
      if (Chance(70)) {
        toml += "versions = \"" +
                Pick<std::string>({"*", "1.x", "^1.2", ">=1.2.0 <2.0.0", ">=1.2.3-rc.0 <2.0.0",
                                   "<=2", ">=2.0.0-rc.0", "1.2.3 || 2.x", "<2.0.0-rc.2"}) +
                "\"\n";
      }
      if (Chance(20)) {
        toml += "digests = [\"sha256:" + std::string(64, Pick<char>({'a', 'b'})) + "\"]\n";
      }
    }
  }
  for (const LimitInfo& info : kLimits) {
    if (!Chance(10)) continue;
    table("limits." + std::string(info.key));
    toml += "max = " + std::string(info.unit == LimitUnit::kCount ? "" : "\"") +
            FormatLimit(info.unit, Pick<std::int64_t>({info.built_in_default, info.built_in_max})) +
            (info.unit == LimitUnit::kCount ? "" : "\"") + "\n";
  }
  if (Chance(50)) {
    table("mounts");
    toml += "allow = [" + Pick<std::string>({"", "\"/srv/a\"", "\"/srv/a/b\""}) +
            "]\nwritable = " + (Chance(50) ? "true" : "false") + "\n";
  }
  if (Chance(50)) {
    table("network");
    toml += "modes = [\"none\"" + Pick<std::string>({"", ", \"isolated\"", ", \"bridge\""}) + "]\n";
  }
  if (Chance(50)) {
    table("capabilities");
    toml += "allow = [" + Pick<std::string>({"", "\"KILL\"", "\"KILL\", \"CHOWN\""}) + "]\n";
  }
  if (Chance(30)) {
    table("user");
    toml += std::string("allow_root = ") + (Chance(50) ? "true" : "false") + "\n";
  }
  if (Chance(30)) {
    table("rootfs");
    toml += std::string("allow_writable = ") + (Chance(50) ? "true" : "false") + "\n";
  }
  if (Chance(30)) {
    table("runtimes");
    toml += "allow = [\"runsc\"]\n";
  }
  return toml;
}

}  // namespace tidewaiter::policy
