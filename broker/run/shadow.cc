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

std::optional<ShadowDecision> CompareWithShadow(const Environment& environment,
                                                const policy::PolicySet& shadow,
                                                const RunRequest& request, const Verdict& verdict) {
  Verdict tried = Decide(environment, shadow, request);
  ShadowDecision decision{.policy_name = std::move(tried.policy_name),
                          .policy_hash = std::move(tried.policy_hash),
                          .admitted = tried.admitted.has_value(),
                          .violations = std::move(tried.violations),
                          .differing_fields = {}};
  if (decision.admitted != verdict.admitted.has_value()) return decision;
  if (!decision.admitted) {
    if (SameReasons(decision.violations, verdict.violations)) return std::nullopt;
    return decision;
  }
  decision.differing_fields =
      policy::DifferingFields(verdict.admitted->effective(), tried.admitted->effective());
  if (decision.differing_fields.empty()) return std::nullopt;
  return decision;
}

}  // namespace tidewaiter::run
