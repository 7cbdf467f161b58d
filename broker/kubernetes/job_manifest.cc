#include "broker/kubernetes/job_manifest.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// For what the pod's log and writable layer take on the node besides what the run may write: a log
// driver puts a time and more before each line.
constexpr std::int64_t kNodeOverhead = std::int64_t{128} << 20U;
// For threads and controllers that are scheduled late; nothing of a run that is watched waits for
// it.
constexpr seconds kDeadlineSlack(60);

constexpr const char* kStoppedMark = "io.tidewaiter.stopped";

std::int64_t CeilSeconds(milliseconds time) {
  return std::chrono::ceil<seconds>(time).count();
}

// Plain integers: no suffix, so that nothing is rounded.
Json Resources(const policy::EffectiveRun& run, const KubernetesSettings& settings) {
  const policy::Limits& limits = run.limits;
  std::int64_t storage = kNodeOverhead + 2 * limits.log_bytes + InputStorage(run, settings);
  // /tmp and the like are memory; a writable root is the node's disk.
  if (!run.read_only_rootfs) storage += limits.tmpfs_bytes;
  const Json amounts = {{"cpu", std::to_string(limits.cpu_millis) + "m"},
                        {"memory", std::to_string(limits.memory_bytes)},
                        {"ephemeral-storage", std::to_string(storage)}};
  return {{"requests", amounts}, {"limits", amounts}};
}

Json ContainerSecurity(const policy::EffectiveRun& run) {
  Json capabilities = {{"drop", Json::array({"ALL"})}};
  if (!run.add_capabilities.empty()) capabilities["add"] = run.add_capabilities;
  return {{"allowPrivilegeEscalation", false},
          {"capabilities", std::move(capabilities)},
          {"privileged", false},
          {"readOnlyRootFilesystem", run.read_only_rootfs},
          {"runAsNonRoot", true},
          {"runAsUser", run.user.uid},
          {"runAsGroup", run.user.gid},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

struct Volumes {
  Json volumes = Json::array();
  Json mounts = Json::array();
};

// Other kinds are refused before (policy::KubernetesViolations).
Volumes VolumesOf(const policy::EffectiveRun& run) {
  Volumes all;
  for (std::size_t i = 0; i < run.mounts.size(); ++i) {
    const policy::Mount& mount = run.mounts[i];
    if (Json file = FileMount(run, mount); !file.is_null()) all.mounts.push_back(std::move(file));
    const auto* memory = std::get_if<policy::TmpfsMount>(&mount.source);
    if (memory == nullptr) continue;
    const std::string name = "tmpfs-" + std::to_string(i);
    const std::int64_t size = memory->size_bytes.value_or(run.limits.tmpfs_bytes);
    all.volumes.push_back(
        {{"name", name},
         {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", std::to_string(size)}}}});
    Json entry = {{"name", name}, {"mountPath", mount.target}};
    if (mount.read_only) entry["readOnly"] = true;
    all.mounts.push_back(std::move(entry));
  }
  return all;
}

Json Container(const JobRequest& request, Json mounts) {
  const policy::EffectiveRun& run = request.admitted.effective();
  Json container = {{"name", kJobContainer},
                    {"image", request.image},
                    {"imagePullPolicy", "IfNotPresent"},  // by digest: it cannot be another one
                    {"resources", Resources(run, request.settings)},
                    {"securityContext", ContainerSecurity(run)}};
  if (!run.command.empty()) {
    Json command = Json::array();
    for (const std::string& word : run.command) command.push_back(WithoutExpansion(word));
    container["command"] = std::move(command);
  }
  if (!run.env.empty()) {
    Json env = Json::array();
    for (const auto& [name, value] : run.env) {
      env.push_back({{"name", name}, {"value", WithoutExpansion(value)}});
    }
    container["env"] = std::move(env);
  }
  if (request.with_stdin) {
    container["stdin"] = true;
    // Whoever attaches first is the only one, and its end is that of stdin.
    container["stdinOnce"] = true;
  }
  if (!run.working_dir.empty()) container["workingDir"] = run.working_dir;
  if (!mounts.empty()) container["volumeMounts"] = std::move(mounts);
  return container;
}

Json TolerationBody(const Toleration& toleration) {
  Json body = Json::object();
  const auto add = [&body](const char* name, const std::string& value) {
    if (!value.empty()) body[name] = value;
  };
  add("key", toleration.key);
  add("operator", toleration.operation);
  add("value", toleration.value);
  add("effect", toleration.effect);
  if (toleration.seconds) body["tolerationSeconds"] = *toleration.seconds;
  return body;
}

Json PodSpec(const JobRequest& request) {
  const policy::EffectiveRun& run = request.admitted.effective();
  const KubernetesSettings& settings = request.settings;
  Volumes volumes = VolumesOf(run);
  FileVolumes files = FileVolumesOf(run, request.run_id, request.inputs, settings);
  for (Json& volume : files.volumes) volumes.volumes.push_back(std::move(volume));
  // First: what starts them begins with it. It goes on with the job where it cannot.
  Json containers = std::move(files.containers);
  containers.push_back(Container(request, std::move(volumes.mounts)));
  Json spec = {
      {"automountServiceAccountToken", false},
      {"containers", std::move(containers)},
      // A resolver that is none: names must not be a way out where the network policy is not
      // enforced. TEST-NET-1 (RFC 5737).
      {"dnsPolicy", "None"},
      {"dnsConfig", {{"nameservers", Json::array({"192.0.2.1"})}}},
      {"enableServiceLinks", false},
      {"hostname", ObjectName(request.run_id)},
      {"restartPolicy", "Never"},
      {"securityContext",
       {{"runAsNonRoot", true},
        {"runAsUser", run.user.uid},
        {"runAsGroup", run.user.gid},
        {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"terminationGracePeriodSeconds", CeilSeconds(settings.stop_grace)},
  };
  if (!files.init_containers.empty()) spec["initContainers"] = std::move(files.init_containers);
  if (!volumes.volumes.empty()) spec["volumes"] = std::move(volumes.volumes);
  if (!settings.node_selector.empty()) spec["nodeSelector"] = settings.node_selector;
  for (const Toleration& one : settings.tolerations) {
    spec["tolerations"].push_back(TolerationBody(one));
  }
  if (!settings.runtime_class.empty()) spec["runtimeClassName"] = settings.runtime_class;
  for (const std::string& secret : settings.image_pull_secrets) {
    spec["imagePullSecrets"].push_back({{"name", secret}});
  }
  return spec;
}

}  // namespace

std::string WithoutExpansion(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) escaped.append(c == '$' ? 2 : 1, c);
  return escaped;
}

Json JobBody(const JobRequest& request) {
  const KubernetesSettings& settings = request.settings;
  const policy::EffectiveRun& run = request.admitted.effective();
  milliseconds longest =
      settings.prepare_timeout + run.limits.timeout + 2 * settings.stop_grace + kDeadlineSlack;
  // Its pod lives until they have been read, where a broker is away: until the next one has.
  if (!OutputsOf(run).empty()) longest += settings.output_timeout + settings.finished_ttl;
  const auto metadata = [](const ObjectLabels& labels) {
    return Json{{"labels", labels.labels}, {"annotations", labels.annotations}};
  };
  Json job_metadata = metadata(request.labels);
  job_metadata["name"] = ObjectName(request.run_id);
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata", std::move(job_metadata)},
          {"spec",
           {{"parallelism", 0},
            {"completions", 1},
            {"backoffLimit", 0},
            // For the time when no broker is left: it ends, and then goes, all the same.
            {"activeDeadlineSeconds", CeilSeconds(longest)},
            {"ttlSecondsAfterFinished", CeilSeconds(settings.finished_ttl)},
            {"template",
             {{"metadata", metadata(BrokersOwn(request.labels))}, {"spec", PodSpec(request)}}}}}};
}

Json StartPatch() {
  return {{"spec", {{"parallelism", 1}}}};
}

Json StopPatch() {
  return {{"metadata", {{"annotations", {{kStoppedMark, "true"}}}}},
          {"spec", {{"parallelism", 0}}}};
}

bool WasStopped(const Json& job) {
  return TextAt(At(job, {"metadata", "annotations"}), kStoppedMark) == "true";
}

}  // namespace tidewaiter::kubernetes
