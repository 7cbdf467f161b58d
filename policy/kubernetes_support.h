// What a run on Kubernetes is refused for, and what of it the cluster enforces instead of the
// broker: facts of the run and of what the operator states of the cluster, and here so that `policy
// check` can tell them without a broker. Pure: nothing is asked of the cluster.
//
// A run becomes one Job in a namespace that enforces the Pod Security Standard "restricted". What a
// pod cannot say is refused (docs/POLICY.md, "What each backend enforces").
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/effective_run.h"
#include "policy/enforcement.h"
#include "policy/violation.h"

namespace tidewaiter::policy {

// What the operator states of a cluster ([kubernetes] of tidewaiter.toml), as far as the decision
// depends on it.
struct KubernetesTarget {
  // The kubelets' podPidsLimit. Nothing: none is stated.
  std::optional<std::int64_t> pod_pids_limit{};
  // The network plugin enforces NetworkPolicy.
  bool network_policy_enforced = false;
  // Inputs and outputs reach the run and come back.
  bool carries_files = false;
  // All inputs of a run together, as archives.
  std::int64_t max_input_bytes = std::int64_t{8} << 20U;

  // A cluster that states all that `run` needs: what is refused even so, no cluster can do.
  static KubernetesTarget StatingAll(const EffectiveRun& run);
};

// In the order of RunSpec's fields.
std::vector<Violation> KubernetesViolations(const EffectiveRun& run,
                                            const KubernetesTarget& target);

// Of a run that has no such violations, likewise.
std::vector<Enforcement> KubernetesEnforcement(const EffectiveRun& run,
                                               const KubernetesTarget& target);

}  // namespace tidewaiter::policy
