#include "policy/docker_mounts.h"

#include <cstddef>
#include <string>
#include <variant>

namespace tidewaiter::policy {

std::vector<Violation> DockerMountViolations(const EffectiveRun& effective) {
  std::vector<Violation> violations;
  for (std::size_t i = 0; i < effective.mounts.size(); ++i) {
    const auto& source = effective.mounts[i].source;
    const bool volume = std::holds_alternative<VolumeMount>(source);
    if (!volume && !std::holds_alternative<std::monostate>(source)) continue;
    violations.push_back(
        {.rule = std::string(kRuleMountKind),
         .field = "mounts[" + std::to_string(i) + "]." + (volume ? "volume" : "target"),
         .message = "the docker backend does not make mounts of this kind",
         .remedy = "a bind, tmpfs, input or output mount"});
  }
  return violations;
}

}  // namespace tidewaiter::policy
