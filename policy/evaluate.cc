#include "policy/evaluate.h"

#include <utility>
#include <vector>

#include "policy/checks.h"

namespace tidewaiter::policy {

Decision Evaluate(const Policy& policy, const RunSpec& spec, const HostPaths& host) {
  EffectiveRun run;
  std::vector<Violation> violations;
  Check check{policy.rules(), spec, host, run, violations};
  run.development = policy.rules().development;
  CheckImage(check);
  CheckCommand(check);
  CheckEnv(check);
  CheckWorkingDir(check);
  CheckUser(check);
  CheckLabels(check);
  CheckLimits(check);
  CheckNetwork(check);
  CheckMounts(check);
  CheckCapabilities(check);
  CheckRootfs(check);
  CheckRuntime(check);
  CheckSeccomp(check);
  CheckTenant(check);
  CheckBackend(check);
  CheckIdempotencyKey(check);
  if (!violations.empty()) return Decision{std::move(violations)};
  return Decision{AdmittedRun(std::move(run), policy.name(), policy.hash())};
}

}  // namespace tidewaiter::policy
