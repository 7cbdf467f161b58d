// The whole decision on one run: who may ask, the policy, and what the backend cannot enforce.
// Pure but for the policy's questions to the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/run/environment.h"
#include "broker/run/run_request.h"
#include "policy/admitted_run.h"

namespace tidewaiter::run {

// `admitted` is set exactly where `violations` is empty, and `backend` with it.
struct Verdict {
  std::optional<policy::AdmittedRun> admitted;
  std::vector<policy::Violation> violations;
  // The policy admits; what the backend cannot enforce is all that is wrong.
  bool denied_by_backend = false;
  Backend* backend = nullptr;
  std::string policy_name;  // empty where the caller has none
  std::string policy_hash;
};

struct PolicyVerdict {
  policy::Decision decision;
  std::string policy_name;  // empty where the caller has none
};

// What `policies` alone say, the backend not asked: principal.unknown, principal.role, and the
// policy's own rules.
PolicyVerdict DecideByPolicy(const policy::PolicySet& policies, const RunRequest& request,
                             const policy::HostPaths& host);

// By `policies`, which need not be the ones in force. Rules of its own: principal.unknown,
// principal.role, backend.unknown (docs/POLICY.md). `host` is asked instead of the environment's.
Verdict Decide(const Environment& environment, const policy::PolicySet& policies,
               const RunRequest& request, const policy::HostPaths& host);

}  // namespace tidewaiter::run
