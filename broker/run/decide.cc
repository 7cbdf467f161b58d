#include "broker/run/decide.h"

#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "policy/backends.h"
#include "policy/evaluate.h"

namespace tidewaiter::run {
namespace {

policy::Violation UnknownBackend(const Environment& environment, const std::string& asked) {
  std::vector<std::string_view> known;
  for (const auto& [name, backend] : environment.backends) known.push_back(name);
  return policy::UnknownBackend(asked, known);
}

PolicyVerdict Denied(policy::Violation violation, std::string policy_name) {
  return {.decision = {std::vector<policy::Violation>{std::move(violation)}},
          .policy_name = std::move(policy_name)};
}

}  // namespace

PolicyVerdict DecideByPolicy(const policy::PolicySet& policies, const RunRequest& request,
                             const policy::HostPaths& host) {
  // By the kernel's uid; the name has to agree, since the set may be newer than the call.
  const policy::Principal* principal = policies.FindPrincipal(request.caller.uid);
  const policy::Policy* policy = principal == nullptr ? nullptr : policies.Find(principal->policy);
  if (policy == nullptr || principal->name != request.caller.principal) {
    return Denied(
        {.rule = "principal.unknown",
         .field = "",
         .message = "the policy in force knows no principal " + Quoted(request.caller.principal) +
                    " with uid " + std::to_string(request.caller.uid),
         .remedy = "a [[principal]] table with this name and uid"},
        "");
  }
  if (!principal->roles.run) {
    return Denied(
        {.rule = "principal.role",
         .field = "",
         .message = "principal " + Quoted(principal->name) + " does not have the role 'run'",
         .remedy = "roles = [\"run\"] in its [[principal]] table"},
        policy->name());
  }
  return {.decision = policy::Evaluate(*policy, request.spec, host), .policy_name = policy->name()};
}

Verdict Decide(const Environment& environment, const policy::PolicySet& policies,
               const RunRequest& request, const policy::HostPaths& host) {
  PolicyVerdict judged = DecideByPolicy(policies, request, host);
  Verdict verdict;
  verdict.policy_hash = policies.hash();
  verdict.policy_name = std::move(judged.policy_name);
  verdict.violations = judged.decision.violations();
  if (judged.decision.admitted() == nullptr) return verdict;

  const policy::EffectiveRun& effective = judged.decision.admitted()->effective();
  const std::string& wanted =
      effective.backend.empty() ? environment.default_backend : effective.backend;
  const auto backend = environment.backends.find(wanted);
  if (backend == environment.backends.end()) {
    verdict.violations.push_back(UnknownBackend(environment, wanted));
  } else {
    verdict.violations = backend->second->Unsupported(effective);
  }
  verdict.denied_by_backend = !verdict.violations.empty();
  if (verdict.denied_by_backend) return verdict;
  verdict.admitted = *judged.decision.admitted();
  verdict.backend = backend->second;
  return verdict;
}

}  // namespace tidewaiter::run
