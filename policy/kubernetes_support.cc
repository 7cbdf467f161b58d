#include "policy/kubernetes_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/printable.h"
#include "policy/backends.h"
#include "policy/kubernetes_names.h"
#include "policy/limit_table.h"
#include "policy/policy.h"

namespace tidewaiter::policy {
namespace {

struct Check {
  const EffectiveRun& run;
  const KubernetesTarget& target;
  std::vector<Violation>& violations;

  void Deny(std::string_view rule, std::string field, std::string message, std::string remedy) {
    violations.push_back(
        {std::string(rule), std::move(field), std::move(message), std::move(remedy)});
  }
};

std::string MountField(std::size_t index, std::string_view rest) {
  return fmt::format("mounts[{}].{}", index, rest);
}

bool HasInput(const EffectiveRun& run) {
  return std::any_of(run.mounts.begin(), run.mounts.end(), [](const Mount& mount) {
    return std::holds_alternative<InputMount>(mount.source);
  });
}

// podPidsLimit is of a pod, whose other processes are the pause container's and the helper's: what
// is left to the run is less. A kubelet takes -1 for unlimited.
bool PidsAreLimited(const EffectiveRun& run, const KubernetesTarget& target) {
  return target.pod_pids_limit && *target.pod_pids_limit > 0 &&
         *target.pod_pids_limit <= run.default_pids;
}

// Each kubelet would resolve the tag for itself, and what it pulled is known when it runs. (The
// registry is asked about a tag only to compare it with the digest: EffectiveRun::verify_tag.)
void CheckImage(Check& check) {
  if (!check.run.image.digest.empty()) return;
  check.Deny(kRuleImageDigest, "image",
             "the image has no digest, and every node would resolve its tag anew",
             "an image by digest, as in 'HOST/NAME:1.2.3@sha256:...'");
}

void CheckEnv(Check& check) {
  for (const auto& [name, value] : check.run.env) {
    if (IsVariableName(name)) continue;
    check.Deny(kRuleEnvName, fmt::format("env[{}]", Quoted(name)),
               fmt::format("Kubernetes takes no variable {}", Quoted(name)),
               "letters, digits, '_', '-' and '.', no digit first, no '..' first and not '.'");
  }
}

// Pod Security Standards, restricted: runAsNonRoot, and runAsUser is not 0. Of the group it says
// nothing.
void CheckUser(Check& check) {
  if (check.run.user.uid != 0) return;
  check.Deny(kRuleUserRoot, "user", "a pod of the restricted Pod Security Standard is not uid 0",
             "a uid above 0, as in '65534:65534'");
}

void CheckLabels(Check& check) {
  for (const auto& [name, value] : check.run.labels) {
    if (IsQualifiedName(name) && !IsKubernetesLabel(name)) continue;
    check.Deny(
        kRuleLabelName, fmt::format("labels[{}]", Quoted(name)),
        fmt::format("label name {} is {}", Quoted(name),
                    IsQualifiedName(name) ? "Kubernetes' own" : "none that Kubernetes takes"),
        "[DOMAIN/]NAME: at most 63 letters, digits, '-', '_' and '.', alphanumeric first and "
        "last; not under kubernetes.io or k8s.io, not 'job-name' or 'controller-uid'");
  }
}

// A pod has no process limit: its kubelet has one for all its pods
// (https://kubernetes.io/docs/concepts/policy/pid-limiting/).
void CheckPids(Check& check) {
  const EffectiveRun& run = check.run;
  const KubernetesTarget& target = check.target;
  if (run.limits.pids != run.default_pids) {
    check.Deny(
        kRulePids, "limits.pids",
        fmt::format("limits.pids {}: a pod has no process limit of its own", run.limits.pids),
        fmt::format("{}, the policy's default, which the nodes enforce", run.default_pids));
    return;
  }
  if (run.development || PidsAreLimited(run, target)) return;
  const std::string stated =
      target.pod_pids_limit ? fmt::format("is {}", *target.pod_pids_limit) : "is not stated";
  check.Deny(kRulePids, "limits.pids",
             fmt::format("nothing limits the run to {} processes: the kubelets' podPidsLimit {}",
                         run.default_pids, stated),
             fmt::format("kubelets with a podPidsLimit of at most {}, stated as pod_pids_limit "
                         "under [kubernetes] of tidewaiter.toml",
                         run.default_pids));
}

void CheckOpenFiles(Check& check) {
  if (check.run.limits.open_files == check.run.default_open_files) return;
  check.Deny(kRuleOpenFiles, "limits.openFiles",
             fmt::format("limits.openFiles {}: a pod has no ulimits", check.run.limits.open_files),
             fmt::format("{}, the policy's default; the node's container runtime sets the limit",
                         check.run.default_open_files));
}

// The policy's default is no demand for so much room: the smaller budget holds, and an upload that
// exceeds it is refused as one that exceeds the limit. Who asks for a limit means to use it.
void CheckInputBytes(Check& check) {
  const std::int64_t wanted = check.run.limits.input_bytes;
  const std::int64_t most = check.target.max_input_bytes;
  if (!HasInput(check.run) || wanted <= most || wanted == check.run.default_input_bytes) return;
  check.Deny(
      kRuleInputBytes, "limits.inputBytes",
      fmt::format("limits.inputBytes {} is more than is carried to the cluster",
                  FormatLimit(LimitUnit::kBytes, wanted)),
      fmt::format("at most {} (max_input_bytes under [kubernetes] of tidewaiter.toml), or no "
                  "limits.inputBytes",
                  FormatLimit(LimitUnit::kBytes, most)));
}

// A pod has an interface in the cluster's network whatever it says; none is what a NetworkPolicy
// makes of it, where the network plugin knows them
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites).
void CheckNetwork(Check& check) {
  const EffectiveRun& run = check.run;
  const KubernetesTarget& target = check.target;
  if (run.network != NetworkMode::kNone) {
    check.Deny(kRuleNetworkMode, "network.mode",
               fmt::format("the kubernetes backend has no network mode {}", ToString(run.network)),
               "none");
    return;
  }
  if (run.development || target.network_policy_enforced) return;
  check.Deny(kRuleNetworkMode, "network.mode",
             "nothing keeps the pod from the network: that the cluster enforces NetworkPolicy is "
             "not stated",
             "a network plugin that enforces NetworkPolicy, stated as network_policy_enforced = "
             "true under [kubernetes] of tidewaiter.toml");
}

// The kind of a mount that cannot be made there; empty for one that can. Pod Security Standards,
// baseline: no hostPath.
std::string_view RefusedKind(const Mount& mount, bool carries_files) {
  if (std::holds_alternative<TmpfsMount>(mount.source)) return {};
  if (std::holds_alternative<BindMount>(mount.source)) return "bind";
  if (std::holds_alternative<VolumeMount>(mount.source)) return "volume";
  if (std::holds_alternative<std::monostate>(mount.source)) return "target";
  if (carries_files) return {};
  return std::holds_alternative<InputMount>(mount.source) ? "input" : "output";
}

void CheckMounts(Check& check) {
  const bool carries_files = check.target.carries_files;
  for (std::size_t i = 0; i < check.run.mounts.size(); ++i) {
    const Mount& mount = check.run.mounts[i];
    const std::string_view kind = RefusedKind(mount, carries_files);
    if (kind == "input" || kind == "output") {
      check.Deny(kRuleMountKind, MountField(i, kind),
                 "this broker carries no files to and from the cluster", "a tmpfs mount");
    } else if (!kind.empty()) {
      check.Deny(kRuleMountKind, MountField(i, kind),
                 "the kubernetes backend does not make mounts of this kind",
                 carries_files ? "a tmpfs, input or output mount" : "a tmpfs mount");
    }
    // "Must not contain ':'" (VolumeMount.mountPath): some runtimes take SOURCE:TARGET apart.
    if (mount.target.find(':') != std::string::npos) {
      check.Deny(kRuleMountTarget, MountField(i, "target"),
                 fmt::format("target {} holds ':', which no mountPath may", Quoted(mount.target)),
                 "a path without ':'");
    }
  }
}

// Pod Security Standards, restricted: drop ALL, add NET_BIND_SERVICE at most. Without an index: the
// effective list is not in the order of the spec's.
void CheckCapabilities(Check& check) {
  for (const std::string& name : check.run.add_capabilities) {
    if (name == "NET_BIND_SERVICE") continue;
    check.Deny(kRuleCapability, "addCapabilities",
               fmt::format("the restricted Pod Security Standard has no capability {}", name),
               "NET_BIND_SERVICE at most");
  }
}

void CheckRuntime(Check& check) {
  if (!check.run.runtime.empty()) {
    check.Deny(kRuleRuntime, "runtime",
               fmt::format("a run cannot choose the runtime {}: all of a cluster have the "
                           "configured runtime class",
                           Quoted(check.run.runtime)),
               "no runtime");
  }
  if (!check.run.seccomp_profile.empty()) {
    check.Deny(
        kRuleSeccompProfile, "seccompProfile",
        fmt::format("seccomp profile {} is not on the nodes", Quoted(check.run.seccomp_profile)),
        "none, for the default profile of the container runtime");
  }
}

Enforcement OfPids(const EffectiveRun& run, const KubernetesTarget& target) {
  if (PidsAreLimited(run, target)) {
    return {"limits.pids", "the kubelets' podPidsLimit", std::to_string(*target.pod_pids_limit),
            "a pod has no process limit of its own"};
  }
  return {"limits.pids", "", "",
          "a pod has no process limit of its own, and no podPidsLimit of at most the policy's "
          "default is stated"};
}

Enforcement OfNetwork(const KubernetesTarget& target) {
  if (target.network_policy_enforced) {
    return {"network.mode", "the cluster's network plugin", "none",
            "by the NetworkPolicy of the run"};
  }
  return {"network.mode", "", "", "that the cluster enforces NetworkPolicy is not stated"};
}

}  // namespace

KubernetesTarget KubernetesTarget::StatingAll(const EffectiveRun& run) {
  return {.pod_pids_limit = run.default_pids,
          .network_policy_enforced = true,
          .carries_files = true,
          .max_input_bytes = std::numeric_limits<std::int64_t>::max()};
}

// Nothing about UTF-8, which JSON wants, nor about lengths: the policy has refused them.
std::vector<Violation> KubernetesViolations(const EffectiveRun& run,
                                            const KubernetesTarget& target) {
  std::vector<Violation> violations;
  Check check{run, target, violations};
  CheckImage(check);
  CheckEnv(check);
  CheckUser(check);
  CheckLabels(check);
  CheckPids(check);
  CheckOpenFiles(check);
  CheckInputBytes(check);
  CheckNetwork(check);
  CheckMounts(check);
  CheckCapabilities(check);
  CheckRuntime(check);
  return violations;
}

std::vector<Enforcement> KubernetesEnforcement(const EffectiveRun& run,
                                               const KubernetesTarget& target) {
  std::vector<Enforcement> notes;
  notes.push_back(OfPids(run, target));
  notes.push_back({"limits.openFiles", "the node's container runtime", "", "a pod has no ulimits"});
  if (HasInput(run) && run.limits.input_bytes > target.max_input_bytes) {
    notes.push_back({"limits.inputBytes", "max_input_bytes of [kubernetes]",
                     FormatLimit(LimitUnit::kBytes, target.max_input_bytes),
                     "all archives of the inputs together are carried to the cluster"});
  }
  notes.push_back(OfNetwork(target));
  for (std::size_t i = 0; i < run.mounts.size(); ++i) {
    if (!std::holds_alternative<TmpfsMount>(run.mounts[i].source)) continue;
    notes.push_back(
        {MountField(i, "tmpfs"), "", "", "noexec: an emptyDir in memory is mounted without it"});
  }
  return notes;
}

}  // namespace tidewaiter::policy
