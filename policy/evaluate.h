// The decision. Pure: no I/O but the questions to `host`, no clock, no state, never throws on any
// input.
#pragma once

#include "policy/admitted_run.h"
#include "policy/host_paths.h"
#include "policy/policy.h"
#include "policy/run_spec.h"

namespace tidewaiter::policy {

// Admits `spec` under `policy`, or lists every violation, in the order of RunSpec's fields.
Decision Evaluate(const Policy& policy, const RunSpec& spec, const HostPaths& host);

}  // namespace tidewaiter::policy
