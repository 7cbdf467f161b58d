// What the docker backend does not mount, whatever the engine: a fact of the run alone, and here so
// that `policy check` can tell it without a broker. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::policy {

inline constexpr std::string_view kRuleMountKind = "backend.mount-kind";

// One for each mount that is neither a bind nor a tmpfs.
std::vector<Violation> DockerMountViolations(const EffectiveRun& effective);

}  // namespace tidewaiter::policy
