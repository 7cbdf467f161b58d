#include "broker/run/decide.h"

#include <utility>

#include "base/printable.h"
#include "policy/evaluate.h"

namespace tidewaiter::run {
namespace {

policy::Violation UnknownBackend(const Environment& environment, const std::string& asked) {
  std::string known;
  for (const auto& [name, backend] : environment.backends) {
    known += (known.empty() ? "one of: " : ", ") + name;
  }
  return {.rule = "backend.unknown",
          .field = "backend",
          .message = "backend " + Quoted(asked) + " is not configured",
          .remedy = known.empty() ? "no backend is configured" : known};
}

}  // namespace

Verdict Decide(const Environment& environment, const policy::PolicySet& policies,
               const RunRequest& request) {
  Verdict verdict;
  verdict.policy_hash = policies.hash();
  // By the kernel's uid; the name has to agree, since the set may be newer than the call.
  const policy::Principal* principal = policies.FindPrincipal(request.caller.uid);
  const policy::Policy* policy = principal == nullptr ? nullptr : policies.Find(principal->policy);
  if (policy == nullptr || principal->name != request.caller.principal) {
    verdict.violations.push_back({.rule = "principal.unknown",
                                  .field = "",
                                  .message = "the policy in force knows no principal " +
                                             Quoted(request.caller.principal) + " with uid " +
                                             std::to_string(request.caller.uid),
                                  .remedy = "a [[principal]] table with this name and uid"});
    return verdict;
  }
  verdict.policy_name = policy->name();
  if (!principal->roles.run) {
    verdict.violations.push_back(
        {.rule = "principal.role",
         .field = "",
         .message = "principal " + Quoted(principal->name) + " does not have the role 'run'",
         .remedy = "roles = [\"run\"] in its [[principal]] table"});
    return verdict;
  }

  const policy::Decision decision =
      policy::Evaluate(*policy, request.spec, *environment.host_paths);
  verdict.violations = decision.violations();
  if (decision.admitted() == nullptr) return verdict;

  const policy::EffectiveRun& effective = decision.admitted()->effective();
  const std::string& wanted =
      effective.backend.empty() ? environment.default_backend : effective.backend;
  const auto backend = environment.backends.find(wanted);
  if (backend == environment.backends.end()) {
    verdict.violations.push_back(UnknownBackend(environment, wanted));
    return verdict;
  }
  verdict.violations = backend->second->Unsupported(effective);
  if (!verdict.violations.empty()) return verdict;
  verdict.admitted = *decision.admitted();
  verdict.backend = backend->second;
  return verdict;
}

}  // namespace tidewaiter::run
