// The parts of one decision. Each check reads its fields of the spec, writes the effective values,
// and adds a violation for everything that is wrong; none stops at the first. Texts are made only
// for violations: most runs have none, and formatting would be most of their cost. Internal to the
// library: Evaluate is the way in.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/effective_run.h"
#include "policy/host_paths.h"
#include "policy/policy.h"
#include "policy/run_spec.h"
#include "policy/violation.h"

namespace tidewaiter::policy {

struct Check {
  const Rules& rules;
  const RunSpec& spec;
  const HostPaths& host;
  EffectiveRun& run;
  std::vector<Violation>& violations;

  void Deny(std::string_view rule, std::string field, std::string message, std::string remedy) {
    violations.push_back(
        {std::string(rule), std::move(field), std::move(message), std::move(remedy)});
  }
};

void CheckImage(Check& check);       // image_check.cc
void CheckCommand(Check& check);     // process_check.cc
void CheckEnv(Check& check);         // process_check.cc
void CheckWorkingDir(Check& check);  // process_check.cc
void CheckUser(Check& check);        // user_check.cc
void CheckLabels(Check& check);      // label_check.cc
void CheckLimits(Check& check);      // limit_check.cc
void CheckNetwork(Check& check);     // grant_check.cc
void CheckMounts(Check& check);      // mount_check.cc; after CheckLimits, whose tmpfs size it uses
void CheckCapabilities(Check& check);    // grant_check.cc
void CheckRootfs(Check& check);          // grant_check.cc
void CheckRuntime(Check& check);         // grant_check.cc
void CheckSeccomp(Check& check);         // grant_check.cc
void CheckTenant(Check& check);          // label_check.cc
void CheckBackend(Check& check);         // label_check.cc
void CheckIdempotencyKey(Check& check);  // label_check.cc

// One limit's value against [smallest, max], and the violation where it is outside; used for
// limits.* and for the size of each tmpfs.
bool AdmitsLimit(const Check& check, std::size_t limit, std::int64_t value) noexcept;
void DenyLimit(Check& check, std::size_t limit, std::int64_t value, std::string field);

}  // namespace tidewaiter::policy
