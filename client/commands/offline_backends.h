// What the backends have against a run, and what of it they leave to others, as far as it can be
// told without a broker: no engine and no cluster is asked. Thread: any, immutable.
#pragma once

#include <optional>
#include <vector>

#include "policy/effective_run.h"
#include "policy/enforcement.h"
#include "policy/kubernetes_support.h"
#include "policy/violation.h"

namespace tidewaiter::cli {

class OfflineBackends {
 public:
  // Of any broker: it has every backend of this version, and its cluster states all that a run
  // needs. So only what no broker can do is told.
  OfflineBackends() = default;
  // Of one broker: docker, and kubernetes where its configuration has that table.
  explicit OfflineBackends(const std::optional<policy::KubernetesTarget>& kubernetes)
      : of_one_broker_(true), kubernetes_(kubernetes) {}

  // A run that names no backend is docker's.
  [[nodiscard]] std::vector<policy::Violation> Unsupported(const policy::EffectiveRun& run) const;
  [[nodiscard]] std::vector<policy::Enforcement> Notes(const policy::EffectiveRun& run) const;

 private:
  [[nodiscard]] std::optional<policy::KubernetesTarget> Target(
      const policy::EffectiveRun& run) const;

  bool of_one_broker_ = false;
  std::optional<policy::KubernetesTarget> kubernetes_;
};

}  // namespace tidewaiter::cli
