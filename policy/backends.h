// The backends of this version, by the names that a spec, a policy file and the command line use,
// and the rules of what one of them cannot enforce (docs/POLICY.md, "Rules outside the policy
// file"). A broker need not have all of them.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "policy/violation.h"

namespace tidewaiter::policy {

inline constexpr std::string_view kDocker = "docker";
inline constexpr std::string_view kKubernetes = "kubernetes";
inline constexpr std::array<std::string_view, 2> kBackends{kDocker, kKubernetes};

// Ids are stable, as those of policy/rules.h.
inline constexpr std::string_view kRuleUnknownBackend = "backend.unknown";
inline constexpr std::string_view kRuleMountKind = "backend.mount-kind";
inline constexpr std::string_view kRuleRuntime = "backend.runtime";
inline constexpr std::string_view kRuleSeccompProfile = "backend.seccomp-profile";
// Of kubernetes alone.
inline constexpr std::string_view kRuleImageDigest = "backend.image-digest";
inline constexpr std::string_view kRuleEnvName = "backend.env-name";
inline constexpr std::string_view kRuleUserRoot = "backend.user-root";
inline constexpr std::string_view kRuleLabelName = "backend.label-name";
inline constexpr std::string_view kRulePids = "backend.pids";
inline constexpr std::string_view kRuleOpenFiles = "backend.open-files";
inline constexpr std::string_view kRuleInputBytes = "backend.input-bytes";
inline constexpr std::string_view kRuleNetworkMode = "backend.network-mode";
inline constexpr std::string_view kRuleMountTarget = "backend.mount-target";
inline constexpr std::string_view kRuleCapability = "backend.capability";

inline constexpr std::array<std::string_view, 14> kBackendRules{
    kRuleUnknownBackend, kRuleMountKind,   kRuleRuntime,     kRuleSeccompProfile, kRuleImageDigest,
    kRuleEnvName,        kRuleUserRoot,    kRuleLabelName,   kRulePids,           kRuleOpenFiles,
    kRuleInputBytes,     kRuleNetworkMode, kRuleMountTarget, kRuleCapability};

bool IsBackend(std::string_view name) noexcept;

// For a run that asks for `asked` where there are only `known`.
Violation UnknownBackend(std::string_view asked, const std::vector<std::string_view>& known);

}  // namespace tidewaiter::policy
