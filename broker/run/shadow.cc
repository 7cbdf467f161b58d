#include "broker/run/shadow.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "policy/effective_difference.h"

namespace tidewaiter::run {
namespace {

// By rule and field: a message may name a maximum, which is no other reason.
bool SameReasons(const std::vector<policy::Violation>& a, const std::vector<policy::Violation>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const policy::Violation& x, const policy::Violation& y) {
                      return x.rule == y.rule && x.field == y.field;
                    });
}

}  // namespace

std::optional<ShadowDecision> CompareWithShadow(const policy::PolicySet& shadow,
                                                const RunRequest& request,
                                                const policy::HostPaths& host,
                                                const Verdict& verdict) {
  if (shadow.hash() == verdict.policy_hash) return std::nullopt;
  PolicyVerdict tried = DecideByPolicy(shadow, request, host);
  const policy::AdmittedRun* const admitted = tried.decision.admitted();
  ShadowDecision decision{.policy_name = std::move(tried.policy_name),
                          .policy_hash = shadow.hash(),
                          .admitted = admitted != nullptr,
                          .violations = tried.decision.violations(),
                          .differing_fields = {}};
  const bool enforced_admits = verdict.admitted.has_value() || verdict.denied_by_backend;
  if (decision.admitted != enforced_admits) return decision;
  if (!decision.admitted) {
    if (SameReasons(decision.violations, verdict.violations)) return std::nullopt;
    return decision;
  }
  if (verdict.denied_by_backend) return std::nullopt;
  decision.differing_fields =
      policy::DifferingFields(verdict.admitted->effective(), admitted->effective());
  if (decision.differing_fields.empty()) return std::nullopt;
  return decision;
}

}  // namespace tidewaiter::run
