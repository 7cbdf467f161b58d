#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/printable.h"
#include "policy/capability.h"
#include "policy/checks.h"
#include "policy/listing.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

// "one of a, b" of what a policy lists, or `nothing`.
std::string OneOf(const std::vector<std::string>& names, std::string_view nothing) {
  if (names.empty()) return std::string(nothing);
  return "one of " + ListSome(names);
}

bool Contains(const std::vector<std::string>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

}  // namespace

void CheckNetwork(Check& check) {
  const NetworkMode mode = check.spec.network.value_or(NetworkMode::kNone);
  check.run.network = mode;
  const auto& modes = check.rules.network_modes;
  if (std::find(modes.begin(), modes.end(), mode) != modes.end()) return;
  std::vector<std::string> names;
  for (const NetworkMode each : modes) names.emplace_back(ToString(each));
  check.Deny(rule::kNetworkMode, "network.mode",
             fmt::format("network mode {} is not allowed", ToString(mode)),
             OneOf(names, "no mode at all"));
}

void CheckCapabilities(Check& check) {
  const auto& wanted = check.spec.add_capabilities;
  std::vector<std::string>& granted = check.run.add_capabilities;
  std::size_t unknown = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto name = NormaliseCapability(wanted[i]);
    if (!name) {
      // There are only so many capabilities: a list of nonsense gets one page of answers.
      if (++unknown > 64) break;
      check.Deny(rule::kCapabilityUnknown, fmt::format("addCapabilities[{}]", i),
                 fmt::format("{} is not a Linux capability", Quoted(wanted[i])),
                 OneOf(check.rules.capabilities, "no capability"));
      continue;
    }
    const auto place = std::lower_bound(granted.begin(), granted.end(), *name);
    if (place != granted.end() && *place == *name) continue;
    granted.emplace(place, *name);
    if (Contains(check.rules.capabilities, *name)) continue;
    check.Deny(rule::kCapabilityNotAllowed, fmt::format("addCapabilities[{}]", i),
               fmt::format("capability {} is not allowed", *name),
               OneOf(check.rules.capabilities, "no capability"));
  }
}

void CheckRootfs(Check& check) {
  check.run.read_only_rootfs = check.spec.read_only_rootfs.value_or(true);
  if (check.run.read_only_rootfs || check.rules.allow_writable_rootfs) return;
  check.Deny(rule::kRootfsWritable, "readOnlyRootfs", "a writable root file system is not allowed",
             "true, or a tmpfs mount where the program writes");
}

void CheckRuntime(Check& check) {
  const std::string& runtime = check.spec.runtime;
  check.run.runtime = runtime;
  if (runtime.empty() || Contains(*check.rules.runtimes, runtime)) return;
  check.Deny(rule::kRuntime, "runtime", fmt::format("runtime {} is not allowed", Quoted(runtime)),
             OneOf(*check.rules.runtimes, "no name: the engine's default runtime"));
}

void CheckSeccomp(Check& check) {
  const std::string& profile = check.spec.seccomp_profile;
  check.run.seccomp_profile = profile;
  if (profile.empty() || Contains(*check.rules.seccomp_profiles, profile)) return;
  check.Deny(rule::kSeccomp, "seccompProfile",
             fmt::format("seccomp profile {} is not allowed", Quoted(profile)),
             OneOf(*check.rules.seccomp_profiles, "no name: the engine's default profile"));
}

}  // namespace tidewaiter::policy
