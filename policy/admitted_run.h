// AdmittedRun: the proof that a run passed the policy. Backends take nothing else, and only
// policy::Evaluate can make one, so a run that was not admitted does not compile.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::policy {

class Policy;
class HostPaths;
struct Decision;
Decision Evaluate(const Policy& policy, const RunSpec& spec, const HostPaths& host);

class AdmittedRun {
 public:
  [[nodiscard]] const EffectiveRun& effective() const noexcept { return effective_; }
  [[nodiscard]] const std::string& policy_name() const noexcept { return policy_name_; }
  // "sha256:HEX" over the bytes of the policy file that admitted it.
  [[nodiscard]] const std::string& policy_hash() const noexcept { return policy_hash_; }

 private:
  friend Decision Evaluate(const Policy& policy, const RunSpec& spec, const HostPaths& host);
  AdmittedRun(EffectiveRun&& effective, const std::string& policy_name,
              const std::string& policy_hash)
      : effective_(std::move(effective)), policy_name_(policy_name), policy_hash_(policy_hash) {}

  EffectiveRun effective_;
  std::string policy_name_;
  std::string policy_hash_;
};

// Either the admitted run or every violation, never both and never neither.
struct Decision {
  std::variant<AdmittedRun, std::vector<Violation>> outcome;

  [[nodiscard]] const AdmittedRun* admitted() const noexcept {
    return std::get_if<AdmittedRun>(&outcome);
  }
  // Empty exactly where the run is admitted.
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept {
    static const std::vector<Violation> kNone;
    const auto* found = std::get_if<std::vector<Violation>>(&outcome);
    return found != nullptr ? *found : kNone;
  }
};

}  // namespace tidewaiter::policy
