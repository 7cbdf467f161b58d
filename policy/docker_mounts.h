// What the docker backend does not mount, whatever the engine: a fact of the run alone, and here so
// that `policy check` can tell it without a broker. Pure.
#pragma once

#include <vector>

#include "policy/backends.h"
#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::policy {

// One for each mount that is a volume or has no source.
std::vector<Violation> DockerMountViolations(const EffectiveRun& effective);

}  // namespace tidewaiter::policy
