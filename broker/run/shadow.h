// A policy that is tried beside the one in force: what it would have decided, where that differs.
// It never changes what happens to a run.
#pragma once

#include <optional>

#include "broker/run/audit_sink.h"
#include "broker/run/decide.h"

namespace tidewaiter::run {

// What `shadow` says of `request`, where it is not what the policy in force said: the one admits
// what the other denies, they deny for other reasons (rule and field), or they would enforce other
// values. The two policies are compared, not what the backend can enforce: it is not asked. `host`
// should answer as it did for `verdict`.
std::optional<ShadowDecision> CompareWithShadow(const policy::PolicySet& shadow,
                                                const RunRequest& request,
                                                const policy::HostPaths& host,
                                                const Verdict& verdict);

}  // namespace tidewaiter::run
