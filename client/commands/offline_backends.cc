#include "client/commands/offline_backends.h"

#include <string_view>

#include "policy/backends.h"
#include "policy/docker_mounts.h"

namespace tidewaiter::cli {

std::optional<policy::KubernetesTarget> OfflineBackends::Target(
    const policy::EffectiveRun& run) const {
  if (of_one_broker_) return kubernetes_;
  return policy::KubernetesTarget::StatingAll(run);
}

std::vector<policy::Violation> OfflineBackends::Unsupported(const policy::EffectiveRun& run) const {
  if (run.backend.empty() || run.backend == policy::kDocker) {
    return policy::DockerMountViolations(run);
  }
  const auto target = Target(run);
  if (run.backend == policy::kKubernetes && target) {
    return policy::KubernetesViolations(run, *target);
  }
  std::vector<std::string_view> known{policy::kDocker};
  if (target) known.push_back(policy::kKubernetes);
  return {policy::UnknownBackend(run.backend, known)};
}

std::vector<policy::Enforcement> OfflineBackends::Notes(const policy::EffectiveRun& run) const {
  const auto target = Target(run);
  if (run.backend != policy::kKubernetes || !target) return {};
  return policy::KubernetesEnforcement(run, *target);
}

}  // namespace tidewaiter::cli
