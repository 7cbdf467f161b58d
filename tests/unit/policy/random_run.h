// Random runs for the property tests, every field of RunSpec among them. Most are near what the
// policies of random_policy.h admit, so that both answers occur.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "policy/limit_table.h"
#include "policy/run_spec.h"
#include "tests/unit/policy/random_source.h"

namespace tidewaiter::policy {

inline std::string RandomDigest(RandomSource& random) {
  const char hex = random.Pick<char>({'a', 'b'});
  return random.Chance(85) ? "sha256:" + std::string(64, hex) : "sha512:" + std::string(128, hex);
}

// A value around the edges of one limit.
inline std::int64_t RandomLimit(RandomSource& random, const LimitInfo& info) {
  return random.Chance(5)
             ? random.Pick<std::int64_t>({info.smallest - 1, info.built_in_max + 1, -1})
             : random.Pick<std::int64_t>({info.smallest, info.built_in_default, info.built_in_max});
}

inline Mount RandomMount(RandomSource& random) {
  Mount mount;
  mount.target = random.Chance(70)
                     ? random.Text({"/data", "/in", "/out", "/tmp", "/work"})
                     : random.Text({"/data/x", "/etc", "x", "/tmp/y", "/", "/run/docker.sock"});
  mount.read_only = random.Chance(50);
  switch (random.Below(11)) {
    case 0: break;
    case 1:
    case 2:
    case 3:
    case 4:
      mount.source = BindMount{random.Text({"/srv/a", "/srv/a/b", "/srv/c", "/srv", "/etc"})};
      break;
    case 5: mount.source = TmpfsMount{}; break;
    case 6: mount.source = TmpfsMount{RandomLimit(random, kLimits[kTmpfsLimit])}; break;
    case 7: mount.source = InputMount{random.Text({"i", "j", "../i"})}; break;
    case 8:
    case 9: mount.source = OutputMount{random.Text({"o", "p", ""})}; break;
    default: mount.source = VolumeMount{random.Text({"v", "w", "v/w"})}; break;
  }
  return mount;
}

// What a run may say besides its image, one field each.
using Departure = void (*)(RandomSource&, RunSpec&);

namespace departure {

inline void Command(RandomSource& random, RunSpec& spec) {
  spec.command = {random.Text({"sh", "/bin/true", ""}), "-c", "true\n"};
}
inline void Env(RandomSource& random, RunSpec& spec) {
  spec.env = {{random.Text({"A", "HOME", "ä", "B=C"}), "x\ny"}};
}
inline void WorkingDir(RandomSource& random, RunSpec& spec) {
  spec.working_dir = random.Text({"/", "/data", "data"});
}
inline void User(RandomSource& random, RunSpec& spec) {
  spec.user = random.Text({"1000", "1000:2000", "0", "1:0", "0:1", "root"});
}
inline void Labels(RandomSource& random, RunSpec& spec) {
  spec.labels = {{random.Text({"a", "io.other", "io.tidewaiter.run"}), "b"}, {"ü", ""}};
}
inline void SomeLimits(RandomSource& random, RunSpec& spec) {
  for (const LimitInfo& info : kLimits) {
    if (random.Chance(40)) spec.limits.*info.requested = RandomLimit(random, info);
  }
}
inline void Network(RandomSource& random, RunSpec& spec) {
  spec.network =
      random.Pick<NetworkMode>({NetworkMode::kNone, NetworkMode::kIsolated, NetworkMode::kBridge});
}
inline void OneMount(RandomSource& random, RunSpec& spec) {
  spec.mounts = {RandomMount(random)};
}
inline void ThreeMounts(RandomSource& random, RunSpec& spec) {
  spec.mounts = {RandomMount(random), RandomMount(random), RandomMount(random)};
}
inline void Capabilities(RandomSource& random, RunSpec& spec) {
  spec.add_capabilities = {random.Text({"cap_kill", "CHOWN", "KILL", "ALL"})};
  if (random.Chance(50)) spec.add_capabilities.emplace_back("Cap_Chown");
}
inline void Rootfs(RandomSource& random, RunSpec& spec) {
  spec.read_only_rootfs = random.Chance(30);
}
inline void Runtime(RandomSource& random, RunSpec& spec) {
  spec.runtime = random.Text({"runsc", "kata", "runc"});
}
inline void Seccomp(RandomSource& random, RunSpec& spec) {
  spec.seccomp_profile = random.Text({"strict", "build", "unconfined"});
}
inline void TenantFields(RandomSource& random, RunSpec& spec) {
  spec.tenant = {random.Text({"", "c"}), random.Text({"", "j"}), random.Text({"t", "\n"})};
}
inline void Backend(RandomSource& random, RunSpec& spec) {
  spec.backend = random.Text({"docker", "kubernetes", "../x"});
}
inline void Key(RandomSource& random, RunSpec& spec) {
  spec.idempotency_key = random.Text({"k", "0b1e-7 #3", "\n"});
}

}  // namespace departure

inline constexpr std::array<Departure, 16> kDepartures{
    departure::Command,     departure::Env,          departure::WorkingDir, departure::User,
    departure::Labels,      departure::SomeLimits,   departure::Network,    departure::OneMount,
    departure::ThreeMounts, departure::Capabilities, departure::Rootfs,     departure::Runtime,
    departure::Seccomp,     departure::TenantFields, departure::Backend,    departure::Key};

inline std::string RandomImage(RandomSource& random) {
  std::string image = random.Chance(70)
                          ? "ghcr.io/team/"
                          : random.Text({"GHCR.io/team/", "ghcr.io/team/sub/", "quay.io/org/"});
  image += random.Text({"a", "b"});
  if (random.Chance(3)) image = random.Text({"quay.io/org/a", "ghcr.io/Team/a", ""});
  image += random.Chance(50) ? ":1.2.3"
                             : random.Text({":v1.9.0", ":1.4.0_b.1", ":2.0.0", ":1.2.3-rc.1",
                                            ":2.0.0-rc.1", ":latest", "", ""});
  if (random.Chance(80)) image += '@' + RandomDigest(random);
  return image;
}

// Most runs depart from the defaults in at most two fields, or hardly any would be admitted.
inline RunSpec RandomSpec(RandomSource& random) {
  RunSpec spec;
  spec.image = RandomImage(random);
  const std::size_t departures =
      random.Chance(70) ? random.Below(3) : random.Below(kDepartures.size());
  for (std::size_t i = 0; i < departures; ++i) {
    kDepartures[random.Below(kDepartures.size())](random, spec);
  }
  return spec;
}

}  // namespace tidewaiter::policy
