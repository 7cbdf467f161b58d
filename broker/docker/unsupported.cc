#include "broker/docker/unsupported.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/printable.h"
#include "policy/docker_mounts.h"
#include "policy/host_area.h"

namespace tidewaiter::docker {
namespace {

// The engine's images, containers and secrets: what the policy forbids of /var/lib/docker, for an
// engine that keeps them elsewhere.
std::optional<policy::Violation> EngineData(std::size_t index, const std::string& source,
                                            const std::string& data_folder) {
  policy::Violation violation{.rule = std::string(kRuleEngineData),
                              .field = "mounts[" + std::to_string(index) + "].bind.source",
                              .message = "the engine does not say where it keeps its data",
                              .remedy = "no bind mount"};
  if (data_folder.empty()) return violation;
  if (!policy::Overlap(source, data_folder)) {
    return std::nullopt;
  }
  violation.message =
      "source " + Quoted(source) + " is forbidden by the engine's data in " + Quoted(data_folder);
  violation.remedy = "a folder that neither is, holds nor is inside the engine's data";
  return violation;
}

// Files that are not its own would be of no use to the run, and of harm in its outputs.
void CheckOwner(const policy::EffectiveRun& run, const DockerSettings& settings,
                std::vector<policy::Violation>& violations) {
  if (!settings.may_give_to || settings.may_give_to(run.user)) return;
  for (std::size_t i = 0; i < run.mounts.size(); ++i) {
    const auto& source = run.mounts[i].source;
    const bool input = std::holds_alternative<policy::InputMount>(source);
    if (!input && !std::holds_alternative<policy::OutputMount>(source)) continue;
    violations.push_back(
        {.rule = std::string(kRuleMountOwner),
         .field = "mounts[" + std::to_string(i) + "]." + (input ? "input" : "output"),
         .message = "this broker cannot give files to user " + std::to_string(run.user.uid) + ":" +
                    std::to_string(run.user.gid) + ": it has no CAP_CHOWN",
         .remedy = "a broker with CAP_CHOWN, as its systemd unit has it"});
  }
}

}  // namespace

bool DependsOnEngine(const policy::EffectiveRun& run) noexcept {
  return !run.runtime.empty() ||
         std::any_of(run.mounts.begin(), run.mounts.end(), [](const policy::Mount& mount) {
           return std::holds_alternative<policy::BindMount>(mount.source);
         });
}

std::vector<policy::Violation> FindUnsupported(const policy::EffectiveRun& run,
                                               const DockerSettings& settings,
                                               const EngineInfo* info) {
  std::vector<policy::Violation> violations = policy::DockerMountViolations(run);
  for (std::size_t i = 0; i < run.mounts.size() && info != nullptr; ++i) {
    const auto* bind = std::get_if<policy::BindMount>(&run.mounts[i].source);
    if (bind == nullptr) continue;
    if (auto data = EngineData(i, bind->source, info->data_folder)) {
      violations.push_back(*std::move(data));
    }
  }
  CheckOwner(run, settings, violations);
  if (!run.runtime.empty() && info != nullptr &&
      std::find(info->runtimes.begin(), info->runtimes.end(), run.runtime) ==
          info->runtimes.end()) {
    violations.push_back({.rule = std::string(kRuleRuntime),
                          .field = "runtime",
                          .message = "the engine has no runtime " + Quoted(run.runtime),
                          .remedy = "a runtime that the engine lists, or none"});
  }
  if (!run.seccomp_profile.empty() && !settings.seccomp_profiles.contains(run.seccomp_profile)) {
    violations.push_back(
        {.rule = std::string(kRuleSeccompProfile),
         .field = "seccompProfile",
         .message = "no seccomp profile " + Quoted(run.seccomp_profile) + " is configured",
         .remedy = "a configured profile, or none for the engine's default"});
  }
  return violations;
}

}  // namespace tidewaiter::docker
