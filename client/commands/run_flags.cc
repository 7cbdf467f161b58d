#include "client/commands/run_flags.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/printable.h"
#include "client/commands/mount_flag.h"
#include "client/commands/quantity_text.h"

namespace tidewaiter::cli {
namespace {

Error BadFlag(std::string_view flag, std::string_view value, std::string_view cause) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("read {} {}: {}", flag, Quoted(value), cause));
}

template <typename Number>
Result<Number> ParseNumber(std::string_view flag, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return BadFlag(flag, text, "expected a number");
  }
  return value;
}

Result<v1::Network::Mode> ParseNetwork(std::string_view text) {
  if (text == "none") return v1::Network::NONE;
  if (text == "isolated") return v1::Network::ISOLATED;
  if (text == "bridge") return v1::Network::BRIDGE;
  return BadFlag("--network", text, "it is none, isolated or bridge");
}

Result<bool> ParseReadOnly(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return BadFlag("--read-only", text, "it is true or false");
}

// docker's "nofile=SOFT[:HARD]"; the broker sets one number for both.
Result<std::int64_t> ParseUlimit(std::string_view text) {
  constexpr std::string_view kName = "nofile=";
  if (!text.starts_with(kName)) return BadFlag("--ulimit", text, "only nofile=NUMBER is there");
  const std::string_view value = text.substr(kName.size());
  const std::size_t colon = value.find(':');
  if (colon != std::string_view::npos && value.substr(0, colon) != value.substr(colon + 1)) {
    return BadFlag("--ulimit", text, "the soft and the hard limit are the same here");
  }
  return ParseNumber<std::int64_t>("--ulimit", value.substr(0, colon));
}

// CLI11 would else let a list option swallow the words after it, IMAGE among them.
void AddList(CLI::App& app, const std::string& name, std::vector<std::string>& values,
             const std::string& type, const std::string& help) {
  app.add_option(name, values, help)->allow_extra_args(false)->type_name(type);
}

void AddText(CLI::App& app, const std::string& name, std::string& value, const std::string& type,
             const std::string& help) {
  app.add_option(name, value, help)->type_name(type);
}

}  // namespace

void RunFlags::Register(CLI::App& app) {
  AddList(app, "-e,--env", env_, "NAME[=VALUE]", "Set a variable, or pass on one's own");
  AddList(app, "--env-file", env_files_, "FILE", "Variables from a file, one a line");
  AddText(app, "-w,--workdir", working_dir_, "DIR", "Working folder in the container");
  AddText(app, "-u,--user", user_, "UID[:GID]", "Numeric user and group");
  AddList(app, "-l,--label", labels_, "NAME[=VALUE]", "Label what the run creates");
  AddText(app, "-m,--memory", memory_, "BYTES", "Memory limit, as 512m or 2g");
  AddText(app, "--cpus", cpus_, "NUMBER", "CPUs, as 0.5");
  AddText(app, "--pids-limit", pids_, "NUMBER", "Processes and threads");
  AddText(app, "--timeout", timeout_, "DURATION", "Longest run time, as 90s or 1h30m");
  AddText(app, "--log-bytes", log_bytes_, "BYTES", "Output kept; what follows is dropped");
  AddText(app, "--tmpfs-bytes", tmpfs_bytes_, "BYTES", "Size of /tmp");
  AddList(app, "--ulimit", ulimits_, "nofile=NUMBER", "Open files of one process");
  AddText(app, "--network", network_, "MODE", "none, isolated or bridge");
  AddList(app, "--mount", mounts_, "FIELDS", "type=bind,source=/a,target=/b,readonly and so on");
  AddList(app, "-v,--volume", volumes_, "SOURCE:TARGET[:ro]", "Bind mount, in short");
  AddList(app, "--tmpfs", tmpfs_, "TARGET[:size=BYTES]", "Memory-backed scratch space");
  AddList(app, "--input", inputs_, "NAME=PATH[:TARGET]",
          "Upload a folder, an archive, or stdin (-)");
  AddList(app, "--output", outputs_, "NAME=[TARGET:]PATH",
          "Bring a folder of the job back to PATH");
  AddList(app, "--cap-add", add_capabilities_, "NAME", "Keep a capability; all others are dropped");
  AddList(app, "--security-opt", security_options_, "OPTION", "seccomp=PROFILE of the broker");
  // A flag: an option whose value may be left out would take IMAGE for it.
  app.add_flag("--read-only", read_only_, "Read-only root file system; =false to write there");
  AddText(app, "--runtime", runtime_, "NAME", "OCI runtime of the engine");
  AddText(app, "--backend", backend_, "NAME", "docker or kubernetes (default: the policy's)");
  AddText(app, "--tenant-challenge", tenant_challenge_, "NAME", "On whose behalf: challenge");
  AddText(app, "--tenant-job", tenant_job_, "NAME", "On whose behalf: job");
  AddText(app, "--tenant-task", tenant_task_, "NAME", "On whose behalf: task");
  AddText(app, "--idempotency-key", idempotency_key_, "KEY", "Recorded with the run");
}

Result<void> RunFlags::Apply(const std::vector<std::string>& positionals, const Lookup& lookup,
                             v1::RunSpec& spec) const {
  if (!positionals.empty()) {
    spec.set_image(positionals.front());
    if (positionals.size() > 1) {
      spec.mutable_command()->Assign(positionals.begin() + 1, positionals.end());
    }
  }
  TW_TRY(ApplyProcess(lookup, spec));
  TW_TRY(ApplyLimits(spec));
  TW_TRY(ApplyMounts(spec));
  TW_TRY(ApplyArchives(spec));
  TW_TRY(ApplySecurity(spec));
  ApplyNames(spec);
  return Ok();
}

Result<void> RunFlags::ApplyProcess(const Lookup& lookup, v1::RunSpec& spec) const {
  EnvMap env;
  for (const std::string& path : env_files_) {
    TW_TRY(ApplyEnvFile(path, lookup, env));
  }
  for (const std::string& text : env_) {
    TW_TRY(ApplyEnvFlag(text, lookup, env));
  }
  for (const auto& [name, value] : env) (*spec.mutable_env())[name] = value;
  for (const std::string& label : labels_) {
    const std::size_t equals = label.find('=');
    const std::string value = equals == std::string::npos ? "" : label.substr(equals + 1);
    (*spec.mutable_labels())[label.substr(0, equals)] = value;
  }
  if (!working_dir_.empty()) spec.set_working_dir(working_dir_);
  if (!user_.empty()) spec.set_user(user_);
  return Ok();
}

Result<void> RunFlags::ApplyLimits(v1::RunSpec& spec) const {
  v1::Limits limits = spec.limits();
  if (!memory_.empty()) {
    TW_ASSIGN(const std::int64_t bytes, ParseByteSize(memory_));
    limits.set_memory_bytes(bytes);
  }
  if (!cpus_.empty()) {
    TW_ASSIGN(const double cpus, ParseNumber<double>("--cpus", cpus_));
    if (!std::isfinite(cpus)) return BadFlag("--cpus", cpus_, "expected a number");
    limits.set_cpus(cpus);
  }
  if (!pids_.empty()) {
    TW_ASSIGN(const std::int64_t pids, ParseNumber<std::int64_t>("--pids-limit", pids_));
    limits.set_pids(pids);
  }
  if (!timeout_.empty()) {
    TW_ASSIGN(const std::chrono::milliseconds timeout, ParseDuration(timeout_));
    limits.mutable_timeout()->set_seconds(timeout.count() / 1000);
    limits.mutable_timeout()->set_nanos(static_cast<std::int32_t>(timeout.count() % 1000) *
                                        1'000'000);
  }
  if (!log_bytes_.empty()) {
    TW_ASSIGN(const std::int64_t bytes, ParseByteSize(log_bytes_));
    limits.set_log_bytes(bytes);
  }
  if (!tmpfs_bytes_.empty()) {
    TW_ASSIGN(const std::int64_t bytes, ParseByteSize(tmpfs_bytes_));
    limits.set_tmpfs_bytes(bytes);
  }
  for (const std::string& text : ulimits_) {
    TW_ASSIGN(const std::int64_t files, ParseUlimit(text));
    limits.set_open_files(files);
  }
  // An empty message would say "limits" where nobody asked for any.
  if (limits.ByteSizeLong() > 0) *spec.mutable_limits() = limits;
  return Ok();
}

Result<void> RunFlags::ApplyMounts(v1::RunSpec& spec) const {
  const auto add = [&spec](const std::vector<std::string>& texts, auto parse) -> Result<void> {
    for (const std::string& text : texts) {
      TW_ASSIGN(*spec.add_mounts(), parse(text));
    }
    return Ok();
  };
  TW_TRY(add(mounts_, ParseMountFlag));
  TW_TRY(add(volumes_, ParseVolumeFlag));
  return add(tmpfs_, ParseTmpfsFlag);
}

Result<void> RunFlags::ApplyArchives(v1::RunSpec& spec) const {
  TW_ASSIGN(const std::vector<ArchiveFlag> inputs, Inputs());
  TW_ASSIGN(const std::vector<ArchiveFlag> outputs, Outputs());
  TW_TRY(ApplyInputs(inputs, spec));
  return ApplyOutputs(outputs, spec);
}

Result<std::vector<ArchiveFlag>> RunFlags::Inputs() const {
  std::vector<ArchiveFlag> flags;
  for (const std::string& text : inputs_) {
    TW_ASSIGN(flags.emplace_back(), ParseInputFlag(text));
  }
  return flags;
}

Result<std::vector<ArchiveFlag>> RunFlags::Outputs() const {
  std::vector<ArchiveFlag> flags;
  for (const std::string& text : outputs_) {
    TW_ASSIGN(flags.emplace_back(), ParseOutputFlag(text));
  }
  return flags;
}

Result<void> RunFlags::ApplySecurity(v1::RunSpec& spec) const {
  if (!network_.empty()) {
    TW_ASSIGN(const v1::Network::Mode mode, ParseNetwork(network_));
    spec.mutable_network()->set_mode(mode);
  }
  if (!read_only_.empty()) {
    TW_ASSIGN(const bool read_only, ParseReadOnly(read_only_));
    spec.set_read_only_rootfs(read_only);
  }
  for (const std::string& capability : add_capabilities_) spec.add_add_capabilities(capability);
  for (const std::string& option : security_options_) {
    constexpr std::string_view kSeccomp = "seccomp=";
    if (option.starts_with(kSeccomp)) {
      spec.set_seccomp_profile(option.substr(kSeccomp.size()));
    } else if (option != "no-new-privileges" && option != "no-new-privileges=true" &&
               option != "no-new-privileges:true") {
      return BadFlag("--security-opt", option,
                     "only seccomp=PROFILE is there; no-new-privileges always holds");
    }
  }
  return Ok();
}

void RunFlags::ApplyNames(v1::RunSpec& spec) const {
  if (!runtime_.empty()) spec.set_runtime(runtime_);
  if (!backend_.empty()) spec.set_backend(backend_);
  if (!idempotency_key_.empty()) spec.set_idempotency_key(idempotency_key_);
  if (!tenant_challenge_.empty()) spec.mutable_tenant()->set_challenge(tenant_challenge_);
  if (!tenant_job_.empty()) spec.mutable_tenant()->set_job(tenant_job_);
  if (!tenant_task_.empty()) spec.mutable_tenant()->set_task(tenant_task_);
}

}  // namespace tidewaiter::cli
