#include "broker/docker/container_config.h"

#include <variant>

#include "base/printable.h"
#include "broker/docker/labels.h"
#include "broker/docker/log_driver.h"

namespace tidewaiter::docker {
namespace {

// Only for an engine that is itself shut down; the broker ends its containers by signals.
constexpr int kStopSeconds = 5;

Json Ulimit(std::string_view name, std::int64_t value) {
  return {{"Name", name}, {"Soft", value}, {"Hard", value}};
}

Json BindEntry(const policy::Mount& mount, const std::string& source) {
  return {{"Type", "bind"},
          {"Source", source},
          {"Target", mount.target},
          {"ReadOnly", mount.read_only},
          {"BindOptions", {{"Propagation", "rprivate"}, {"NonRecursive", true}}}};
}

// HostConfig.Tmpfs and not a mount of type tmpfs: only the former can spell out noexec, and the
// engine then makes no anonymous volume for a VOLUME of the image at the same place.
std::string TmpfsOptions(const policy::Mount& mount, std::int64_t size) {
  return std::string(mount.read_only ? "ro" : "rw") +
         ",noexec,nosuid,nodev,size=" + std::to_string(size) + ",mode=1777";
}

std::string NetworkMode(const ContainerRequest& request) {
  switch (request.admitted.effective().network) {
    case policy::NetworkMode::kNone: return "none";
    // By id: names of networks are not unique.
    case policy::NetworkMode::kIsolated: return std::string(request.network_id);
    case policy::NetworkMode::kBridge: return "bridge";
  }
  return "none";
}

Json SecurityOptions(const ContainerRequest& request) {
  Json options = Json::array({"no-new-privileges"});
  if (!request.seccomp_profile.empty()) {
    options.push_back(std::string("seccomp=").append(request.seccomp_profile));
  }
  return options;
}

// Of the host, for what is bound; empty for what is not.
std::string BoundFolder(const policy::Mount& mount, const run::MountSources& sources) {
  if (const auto* bind = std::get_if<policy::BindMount>(&mount.source)) return bind->source;
  // A plain name each (policy/plain_name.h).
  if (const auto* input = std::get_if<policy::InputMount>(&mount.source)) {
    return sources.inputs + "/" + input->name;
  }
  if (const auto* output = std::get_if<policy::OutputMount>(&mount.source)) {
    return sources.outputs + "/" + output->name;
  }
  return {};
}

Result<void> AddMounts(const policy::EffectiveRun& run, const run::MountSources& sources,
                       Json& host) {
  Json binds = Json::array();
  Json tmpfs = Json::object();
  for (const policy::Mount& mount : run.mounts) {
    if (const std::string source = BoundFolder(mount, sources); !source.empty()) {
      binds.push_back(BindEntry(mount, source));
    } else if (const auto* memory = std::get_if<policy::TmpfsMount>(&mount.source);
               memory != nullptr) {
      tmpfs[mount.target] =
          TmpfsOptions(mount, memory->size_bytes.value_or(run.limits.tmpfs_bytes));
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "mount " + Quoted(mount.target) + ": of a kind that is not made", "UNSUPPORTED");
    }
  }
  host["Mounts"] = std::move(binds);
  host["Tmpfs"] = std::move(tmpfs);
  return Ok();
}

Json HostConfig(const ContainerRequest& request) {
  const policy::EffectiveRun& run = request.admitted.effective();
  Json host = {
      {"AutoRemove", false},
      {"CapAdd", run.add_capabilities},
      {"CapDrop", Json::array({"ALL"})},
      {"CgroupnsMode", "private"},
      {"Init", true},
      {"IpcMode", "private"},
      {"LogConfig", request.keeps_log ? KeptLogConfig(run.limits.log_bytes) : NoLogConfig()},
      {"Memory", run.limits.memory_bytes},
      {"MemorySwap", run.limits.memory_bytes},  // memory and swap together: no swap
      {"NanoCpus", run.limits.cpu_millis * 1'000'000},
      {"NetworkMode", NetworkMode(request)},
      {"PidsLimit", run.limits.pids},
      {"Privileged", false},
      {"PublishAllPorts", false},
      {"ReadonlyRootfs", run.read_only_rootfs},
      {"RestartPolicy", {{"Name", "no"}, {"MaximumRetryCount", 0}}},
      {"SecurityOpt", SecurityOptions(request)},
      {"ShmSize", run.limits.tmpfs_bytes},  // /dev/shm is a tmpfs too
      {"Ulimits", Json::array({Ulimit("nofile", run.limits.open_files), Ulimit("core", 0)})},
  };
  // Engines before 23.0.11 answer names for an internal network from the host's own resolver
  // (CVE-2024-29018), which is a way out. TEST-NET-1 (RFC 5737) has no resolver.
  if (run.network == policy::NetworkMode::kIsolated) host["Dns"] = Json::array({"192.0.2.1"});
  if (!run.runtime.empty()) host["Runtime"] = run.runtime;
  return host;
}

Json Labels(const ContainerRequest& request) {
  const policy::EffectiveRun& run = request.admitted.effective();
  Json labels = run.labels;
  if (labels.is_null()) labels = Json::object();
  for (const auto& [name, value] :
       OwnLabels(request.broker_id, request.run_id, request.principal, run.tenant)) {
    labels[name] = value;
  }
  return labels;
}

}  // namespace

Result<Json> ContainerBody(const ContainerRequest& request) {
  const policy::EffectiveRun& run = request.admitted.effective();
  Json host = HostConfig(request);
  TW_TRY(AddMounts(run, request.sources, host));
  Json env = Json::array();
  for (const auto& [name, value] : run.env) env.push_back(name + "=" + value);

  Json body = {
      {"AttachStderr", true},
      {"AttachStdin", request.with_stdin},
      {"AttachStdout", true},
      {"Env", std::move(env)},
      {"Healthcheck", {{"Test", Json::array({"NONE"})}}},  // the image's would run unasked
      {"HostConfig", std::move(host)},
      {"Hostname", ResourceName(request.run_id)},
      {"Image", request.image_id},
      {"Labels", Labels(request)},
      {"OpenStdin", request.with_stdin},
      {"StdinOnce", request.with_stdin},  // end of file when the attached client half-closes
      {"StopTimeout", kStopSeconds},
      {"Tty", false},
      {"User", std::to_string(run.user.uid) + ":" + std::to_string(run.user.gid)},
  };
  if (!run.command.empty()) {
    // An empty list, unlike an absent one, takes the image's ENTRYPOINT away (moby,
    // daemon/commit.go).
    body["Entrypoint"] = Json::array();
    body["Cmd"] = run.command;
  }
  if (!run.working_dir.empty()) body["WorkingDir"] = run.working_dir;
  return body;
}

Json NetworkBody(const policy::AdmittedRun& admitted, const RunId& run_id,
                 const BrokerId& broker_id, std::string_view principal) {
  return {
      {"Attachable", false},
      {"CheckDuplicate", true},
      {"Driver", "bridge"},
      {"Internal", true},
      {"Labels", OwnLabels(broker_id, run_id, principal, admitted.effective().tenant)},
      {"Name", ResourceName(run_id)},
      // "Internal" cuts off the world but not the host, whose services would answer at the bridge's
      // address (seen with 20.10): the bridge gets none.
      {"Options", {{"com.docker.network.bridge.inhibit_ipv4", "true"}}},
  };
}

}  // namespace tidewaiter::docker
