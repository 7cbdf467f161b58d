#include "wire/run_spec.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <limits>
#include <utility>

#include "policy/quantity.h"

namespace tidewaiter::wire {
namespace {

constexpr std::int64_t kNotExact = -1;
constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr double kMilliCpusPerCpu = 1000.0;

Result<void> RefuseUnknown(const google::protobuf::Message& message, std::string_view place) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  if (unknown.empty()) return Ok();
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("read run spec: field number {} of '{}' is not known to this version",
                          unknown.field(0).number(), place),
              "UNKNOWN_FIELD");
}

std::int64_t Millis(const google::protobuf::Duration& duration) {
  constexpr std::int64_t kMillisPerSecond = 1000;
  constexpr std::int64_t kMaxSeconds =
      std::numeric_limits<std::int64_t>::max() / kMillisPerSecond - 1;
  const std::int64_t seconds = duration.seconds();
  const std::int64_t nanos = duration.nanos();
  if (seconds > kMaxSeconds || seconds < -kMaxSeconds) return kNotExact;
  if (nanos <= -kNanosPerMilli * kMillisPerSecond || nanos >= kNanosPerMilli * kMillisPerSecond) {
    return kNotExact;
  }
  if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) return kNotExact;
  if (nanos % kNanosPerMilli != 0) return kNotExact;
  return seconds * kMillisPerSecond + nanos / kNanosPerMilli;
}

google::protobuf::Duration ToDuration(std::int64_t millis) {
  google::protobuf::Duration duration;
  duration.set_seconds(millis / 1000);
  duration.set_nanos(static_cast<std::int32_t>(millis % 1000 * kNanosPerMilli));
  return duration;
}

Result<policy::RequestedLimits> LimitsFromProto(const v1::Limits& limits) {
  TW_TRY(RefuseUnknown(limits, "limits"));
  policy::RequestedLimits out;
  if (limits.has_memory_bytes()) out.memory_bytes = limits.memory_bytes();
  if (limits.has_cpus()) {
    const Result<std::int64_t> millis = policy::CpuMillis(limits.cpus());
    out.cpu_millis = millis ? *millis : kNotExact;
  }
  if (limits.has_pids()) out.pids = limits.pids();
  if (limits.has_timeout()) out.timeout_millis = Millis(limits.timeout());
  if (limits.has_tmpfs_bytes()) out.tmpfs_bytes = limits.tmpfs_bytes();
  if (limits.has_log_bytes()) out.log_bytes = limits.log_bytes();
  if (limits.has_open_files()) out.open_files = limits.open_files();
  if (limits.has_input_bytes()) out.input_bytes = limits.input_bytes();
  if (limits.has_output_bytes()) out.output_bytes = limits.output_bytes();
  return out;
}

void LimitsToProto(const policy::RequestedLimits& limits, v1::Limits& out) {
  if (limits.memory_bytes) out.set_memory_bytes(*limits.memory_bytes);
  if (limits.cpu_millis) out.set_cpus(static_cast<double>(*limits.cpu_millis) / kMilliCpusPerCpu);
  if (limits.pids) out.set_pids(*limits.pids);
  if (limits.timeout_millis) *out.mutable_timeout() = ToDuration(*limits.timeout_millis);
  if (limits.tmpfs_bytes) out.set_tmpfs_bytes(*limits.tmpfs_bytes);
  if (limits.log_bytes) out.set_log_bytes(*limits.log_bytes);
  if (limits.open_files) out.set_open_files(*limits.open_files);
  if (limits.input_bytes) out.set_input_bytes(*limits.input_bytes);
  if (limits.output_bytes) out.set_output_bytes(*limits.output_bytes);
}

Result<policy::NetworkMode> NetworkFromProto(const v1::Network& network) {
  TW_TRY(RefuseUnknown(network, "network"));
  switch (network.mode()) {
    case v1::Network::MODE_UNSPECIFIED:
    case v1::Network::NONE: return policy::NetworkMode::kNone;
    case v1::Network::ISOLATED: return policy::NetworkMode::kIsolated;
    case v1::Network::BRIDGE: return policy::NetworkMode::kBridge;
    default:  // proto3 enums are open
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("read run spec: value {} of 'network.mode' is not known to this version",
                      static_cast<int>(network.mode())),
          "UNKNOWN_FIELD");
  }
}

v1::Network::Mode NetworkToProto(policy::NetworkMode mode) {
  switch (mode) {
    case policy::NetworkMode::kNone: return v1::Network::NONE;
    case policy::NetworkMode::kIsolated: return v1::Network::ISOLATED;
    case policy::NetworkMode::kBridge: return v1::Network::BRIDGE;
  }
  return v1::Network::NONE;
}

Result<policy::Mount> MountFromProto(const v1::Mount& mount, int index) {
  TW_TRY(RefuseUnknown(mount, fmt::format("mounts[{}]", index)));
  policy::Mount out{.target = mount.target(), .read_only = mount.read_only(), .source = {}};
  const auto place = [index](std::string_view source) {
    return fmt::format("mounts[{}].{}", index, source);
  };
  switch (mount.source_case()) {
    case v1::Mount::SOURCE_NOT_SET: break;
    case v1::Mount::kBind:
      TW_TRY(RefuseUnknown(mount.bind(), place("bind")));
      out.source = policy::BindMount{mount.bind().source()};
      break;
    case v1::Mount::kTmpfs: {
      TW_TRY(RefuseUnknown(mount.tmpfs(), place("tmpfs")));
      policy::TmpfsMount tmpfs;
      if (mount.tmpfs().has_size_bytes()) tmpfs.size_bytes = mount.tmpfs().size_bytes();
      out.source = tmpfs;
      break;
    }
    case v1::Mount::kInput:
      TW_TRY(RefuseUnknown(mount.input(), place("input")));
      out.source = policy::InputMount{mount.input().name()};
      break;
    case v1::Mount::kOutput:
      TW_TRY(RefuseUnknown(mount.output(), place("output")));
      out.source = policy::OutputMount{mount.output().name()};
      break;
    case v1::Mount::kVolume:
      TW_TRY(RefuseUnknown(mount.volume(), place("volume")));
      out.source = policy::VolumeMount{mount.volume().name()};
      break;
  }
  return out;
}

struct SourceToProto {
  v1::Mount& out;
  void operator()(std::monostate) const {}
  void operator()(const policy::BindMount& bind) const {
    out.mutable_bind()->set_source(bind.source);
  }
  void operator()(const policy::TmpfsMount& tmpfs) const {
    out.mutable_tmpfs();
    if (tmpfs.size_bytes) out.mutable_tmpfs()->set_size_bytes(*tmpfs.size_bytes);
  }
  void operator()(const policy::InputMount& input) const {
    out.mutable_input()->set_name(input.name);
  }
  void operator()(const policy::OutputMount& output) const {
    out.mutable_output()->set_name(output.name);
  }
  void operator()(const policy::VolumeMount& volume) const {
    out.mutable_volume()->set_name(volume.name);
  }
};

}  // namespace

Result<policy::RunSpec> FromProto(const v1::RunSpec& spec) {
  TW_TRY(RefuseUnknown(spec, "spec"));
  policy::RunSpec out;
  out.image = spec.image();
  out.command.assign(spec.command().begin(), spec.command().end());
  out.env.insert(spec.env().begin(), spec.env().end());
  out.working_dir = spec.working_dir();
  out.user = spec.user();
  out.labels.insert(spec.labels().begin(), spec.labels().end());
  if (spec.has_limits()) {
    TW_ASSIGN(out.limits, LimitsFromProto(spec.limits()));
  }
  if (spec.has_network()) {
    TW_ASSIGN(out.network, NetworkFromProto(spec.network()));
  }
  out.mounts.reserve(static_cast<std::size_t>(spec.mounts_size()));
  for (int i = 0; i < spec.mounts_size(); ++i) {
    TW_ASSIGN(policy::Mount mount, MountFromProto(spec.mounts(i), i));
    out.mounts.push_back(std::move(mount));
  }
  out.add_capabilities.assign(spec.add_capabilities().begin(), spec.add_capabilities().end());
  if (spec.has_read_only_rootfs()) out.read_only_rootfs = spec.read_only_rootfs();
  out.runtime = spec.runtime();
  out.seccomp_profile = spec.seccomp_profile();
  TW_TRY(RefuseUnknown(spec.tenant(), "tenant"));
  out.tenant = {spec.tenant().challenge(), spec.tenant().job(), spec.tenant().task()};
  out.backend = spec.backend();
  out.idempotency_key = spec.idempotency_key();
  return out;
}

v1::RunSpec ToProto(const policy::RunSpec& spec) {
  v1::RunSpec out;
  out.set_image(spec.image);
  for (const std::string& argument : spec.command) out.add_command(argument);
  out.mutable_env()->insert(spec.env.begin(), spec.env.end());
  out.set_working_dir(spec.working_dir);
  out.set_user(spec.user);
  out.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  if (spec.limits != policy::RequestedLimits{}) LimitsToProto(spec.limits, *out.mutable_limits());
  if (spec.network) out.mutable_network()->set_mode(NetworkToProto(*spec.network));
  for (const policy::Mount& mount : spec.mounts) {
    v1::Mount& added = *out.add_mounts();
    added.set_target(mount.target);
    added.set_read_only(mount.read_only);
    std::visit(SourceToProto{added}, mount.source);
  }
  for (const std::string& capability : spec.add_capabilities) out.add_add_capabilities(capability);
  if (spec.read_only_rootfs) out.set_read_only_rootfs(*spec.read_only_rootfs);
  out.set_runtime(spec.runtime);
  out.set_seccomp_profile(spec.seccomp_profile);
  if (spec.tenant != policy::Tenant{}) {
    out.mutable_tenant()->set_challenge(spec.tenant.challenge);
    out.mutable_tenant()->set_job(spec.tenant.job);
    out.mutable_tenant()->set_task(spec.tenant.task);
  }
  out.set_backend(spec.backend);
  out.set_idempotency_key(spec.idempotency_key);
  return out;
}

v1::RunSpec ToProto(const policy::EffectiveRun& effective) {
  return ToProto(effective.ToSpec());
}

}  // namespace tidewaiter::wire
