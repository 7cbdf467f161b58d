#include "policy/docker_mounts.h"

#include <array>
#include <cstddef>
#include <string>
#include <variant>

namespace tidewaiter::policy {
namespace {

// Index 0 is monostate: a mount without a source is refused alike.
constexpr std::array<std::string_view, 6> kMountKinds{"target", "bind",   "tmpfs",
                                                      "input",  "output", "volume"};

}  // namespace

std::vector<Violation> DockerMountViolations(const EffectiveRun& effective) {
  std::vector<Violation> violations;
  for (std::size_t i = 0; i < effective.mounts.size(); ++i) {
    const auto& source = effective.mounts[i].source;
    if (std::holds_alternative<BindMount>(source) || std::holds_alternative<TmpfsMount>(source)) {
      continue;
    }
    violations.push_back({.rule = std::string(kRuleMountKind),
                          .field = "mounts[" + std::to_string(i) + "]." +
                                   std::string(kMountKinds.at(source.index())),
                          .message = "the docker backend does not make mounts of this kind",
                          .remedy = "a bind or tmpfs mount"});
  }
  return violations;
}

}  // namespace tidewaiter::policy
