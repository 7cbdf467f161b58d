// Where two policies, asked about the same run, would enforce different things.
#pragma once

#include <string>
#include <vector>

#include "policy/effective_run.h"

namespace tidewaiter::policy {

// RunSpec's JSON names ("limits.memoryBytes", "mounts[1]") in their order, and last
// "images.verify_tag", a key of the policy that no spec has. Empty exactly where `a == b` but for
// what a run only knows of its policy (EffectiveRun::default_*, development): nothing of the run
// differs by them.
std::vector<std::string> DifferingFields(const EffectiveRun& a, const EffectiveRun& b);

}  // namespace tidewaiter::policy
