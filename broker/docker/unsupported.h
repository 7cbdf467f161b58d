// What an engine cannot enforce of an otherwise admitted run (run::Backend::Unsupported). Pure.
#pragma once

#include <string_view>
#include <vector>

#include "broker/docker/engine_api.h"
#include "broker/docker/settings.h"
#include "policy/backends.h"
#include "policy/effective_run.h"
#include "policy/violation.h"

namespace tidewaiter::docker {

// Rule ids (docs/POLICY.md).
using policy::kRuleMountKind;
using policy::kRuleRuntime;
using policy::kRuleSeccompProfile;
inline constexpr std::string_view kRuleEngineData = "backend.engine-data";
inline constexpr std::string_view kRuleMountOwner = "backend.mount-owner";

// Whether the answer depends on what the engine says of itself.
bool DependsOnEngine(const policy::EffectiveRun& run) noexcept;

// `info`: null where the engine could not be asked, which leaves those questions open.
std::vector<policy::Violation> FindUnsupported(const policy::EffectiveRun& run,
                                               const DockerSettings& settings,
                                               const EngineInfo* info);

}  // namespace tidewaiter::docker
