// RunSpec between its wire form and the domain's. Exact in both directions: what the domain cannot
// hold exactly becomes -1, which the policy refuses, and what this version does not know is an
// error, never dropped. Pure; any thread.
#pragma once

#include "base/result.h"
#include "policy/effective_run.h"
#include "policy/run_spec.h"
#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::wire {

// Errors: INVALID_ARGUMENT (UNKNOWN_FIELD) for a field or an enum value of a newer contract: a
// caller that asks for a restriction must not get a run without it. `cpus` that are no whole
// thousandths and a `timeout` that is no whole milliseconds, or beyond the type, arrive as -1.
Result<policy::RunSpec> FromProto(const v1::RunSpec& spec);

v1::RunSpec ToProto(const policy::RunSpec& spec);
// As a caller could have asked for it: every default filled in.
v1::RunSpec ToProto(const policy::EffectiveRun& effective);

}  // namespace tidewaiter::wire
