#include "broker/journal/entry_format.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/mask_credentials.h"
#include "base/printable.h"
#include "broker/journal/sealed_file.h"
#include "run_entry.pb.h"

namespace tidewaiter::journal {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxResources = 1024;

constexpr std::array kKinds{
    std::pair(run::Resource::Kind::kNetwork, Resource::KIND_NETWORK),
    std::pair(run::Resource::Kind::kContainer, Resource::KIND_CONTAINER),
    std::pair(run::Resource::Kind::kNetworkPolicy, Resource::KIND_NETWORK_POLICY),
    std::pair(run::Resource::Kind::kPod, Resource::KIND_POD),
    std::pair(run::Resource::Kind::kSecrets, Resource::KIND_SECRETS),
    std::pair(run::Resource::Kind::kJob, Resource::KIND_JOB),
};

Resource::Kind ToProto(run::Resource::Kind kind) {
  for (const auto& [ours, wire] : kKinds) {
    if (ours == kind) return wire;
  }
  return Resource::KIND_UNSPECIFIED;
}

std::optional<run::Resource::Kind> FromProto(Resource::Kind kind) {
  for (const auto& [ours, wire] : kKinds) {
    if (wire == kind) return ours;
  }
  return std::nullopt;
}

Caller ToProto(const run::Caller& caller) {
  Caller message;
  message.set_uid(caller.uid);
  message.set_gid(caller.gid);
  message.set_pid(caller.pid);
  message.set_principal(caller.principal);
  if (caller.pid_start) message.set_pid_start(*caller.pid_start);
  message.set_executable(caller.executable);
  return message;
}

run::Caller FromProto(const Caller& message) {
  run::Caller caller{.uid = message.uid(),
                     .gid = message.gid(),
                     .pid = message.pid(),
                     .executable = message.executable(),
                     .principal = message.principal()};
  if (message.has_pid_start()) caller.pid_start = message.pid_start();
  return caller;
}

Launch ToProto(const run::Launch& launch) {
  Launch message;
  message.set_at_millis(
      std::chrono::duration_cast<milliseconds>(launch.at.time_since_epoch()).count());
  message.set_boot_id(launch.boot_id);
  message.set_boottime_millis(launch.since_boot.count());
  return message;
}

run::Launch FromProto(const Launch& message) {
  return {.at = std::chrono::system_clock::time_point(milliseconds(message.at_millis())),
          .boot_id = message.boot_id(),
          .since_boot = milliseconds(message.boottime_millis())};
}

Detachment ToProto(const run::Detachment& detachment) {
  Detachment message;
  message.set_idempotency_key(detachment.idempotency_key);
  for (const std::string& name : detachment.outputs) message.add_outputs(name);
  message.set_output_bytes(detachment.output_bytes);
  message.set_log_bytes(detachment.log_bytes);
  message.set_timeout_millis(detachment.timeout.count());
  message.set_tenant_challenge(MaskCredentials(detachment.tenant.challenge));
  message.set_tenant_job(MaskCredentials(detachment.tenant.job));
  message.set_tenant_task(MaskCredentials(detachment.tenant.task));
  message.set_cancelled_by(detachment.cancelled_by);
  if (detachment.launch) *message.mutable_launch() = ToProto(*detachment.launch);
  return message;
}

run::Detachment FromProto(const Detachment& message) {
  run::Detachment detachment{.idempotency_key = message.idempotency_key(),
                             .outputs = {message.outputs().begin(), message.outputs().end()},
                             .output_bytes = message.output_bytes(),
                             .log_bytes = message.log_bytes(),
                             .timeout = milliseconds(message.timeout_millis()),
                             .tenant = {.challenge = message.tenant_challenge(),
                                        .job = message.tenant_job(),
                                        .task = message.tenant_task()},
                             .launch = {},
                             .cancelled_by = message.cancelled_by()};
  if (message.has_launch()) detachment.launch = FromProto(message.launch());
  return detachment;
}

// Others would overflow where they are added up, or made the nanoseconds of a clock.
bool IsPossible(const Launch& message) {
  return IsTime(message.at_millis()) && IsTime(message.boottime_millis());
}

bool IsPossible(const Detachment& message) {
  constexpr std::int64_t kMaxBytes = std::numeric_limits<std::int64_t>::max() / 2;
  const auto is_size = [](std::int64_t bytes) { return bytes >= 0 && bytes <= kMaxBytes; };
  return is_size(message.output_bytes()) && is_size(message.log_bytes()) &&
         IsTime(message.timeout_millis()) && IsPossible(message.launch());
}

bool IsPossible(const RunEntry& message) {
  return IsPossible(message.detachment()) && IsPossible(message.left_at());
}

bool AllUtf8(const run::Detachment& detachment) {
  const policy::Tenant& tenant = detachment.tenant;
  for (const std::string* text : {&detachment.idempotency_key, &tenant.challenge, &tenant.job,
                                  &tenant.task, &detachment.cancelled_by}) {
    if (!IsUtf8(*text)) return false;
  }
  return std::all_of(detachment.outputs.begin(), detachment.outputs.end(),
                     [](const std::string& name) { return IsUtf8(name); });
}

bool AllUtf8(const run::JournalEntry& entry) {
  for (const std::string* text :
       {&entry.run_id.value(), &entry.broker_id.value(), &entry.backend, &entry.caller.principal,
        &entry.caller.executable, &entry.image, &entry.policy_name, &entry.policy_hash,
        &entry.log_mark, &entry.requested_image, &entry.resolved.digest,
        &entry.resolved.image_id}) {
    if (!IsUtf8(*text)) return false;
  }
  if (entry.detachment && !AllUtf8(*entry.detachment)) return false;
  for (const run::Resource& resource : entry.resources) {
    if (!IsUtf8(resource.name) || !IsUtf8(resource.id)) return false;
  }
  return true;
}

}  // namespace

Result<std::string> FormatEntry(const run::JournalEntry& entry) {
  if (!AllUtf8(entry)) {
    return Fail(ErrorCode::kInvalidArgument,
                "write journal of run " + Quoted(entry.run_id.value()) + ": text is not UTF-8");
  }
  RunEntry message;
  message.set_run_id(entry.run_id.value());
  message.set_broker_id(entry.broker_id.value());
  message.set_backend(entry.backend);
  *message.mutable_caller() = ToProto(entry.caller);
  message.set_image(entry.image);
  message.set_policy_name(entry.policy_name);
  message.set_policy_hash(entry.policy_hash);
  for (const run::Resource& resource : entry.resources) {
    Resource* added = message.add_resources();
    added->set_kind(ToProto(resource.kind));
    added->set_name(resource.name);
    added->set_id(resource.id);
  }
  message.set_finished_recorded(entry.finished_recorded);
  message.set_log_mark(entry.log_mark);
  message.set_requested_image(entry.requested_image);
  message.set_resolved_digest(entry.resolved.digest);
  message.set_image_id(entry.resolved.image_id);

  if (entry.detachment) *message.mutable_detachment() = ToProto(*entry.detachment);
  if (entry.left_at) *message.mutable_left_at() = ToProto(*entry.left_at);
  if (!IsPossible(message)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "write journal of run " + Quoted(entry.run_id.value()) + ": an impossible time or size");
  }

  std::string bytes = Seal(message.SerializeAsString());
  if (bytes.size() > kMaxEntryBytes || message.resources_size() > kMaxResources) {
    return Fail(ErrorCode::kInvalidArgument,
                "write journal of run " + Quoted(entry.run_id.value()) + ": too large");
  }
  return bytes;
}

Result<run::JournalEntry> ParseEntry(std::string_view bytes) {
  TW_ASSIGN(const std::string sealed, Unseal(bytes));
  RunEntry message;
  if (!message.ParseFromString(sealed)) return Unreadable("no journal entry");
  if (message.resources_size() > kMaxResources) return Unreadable("too many resources");

  run::JournalEntry entry;
  entry.run_id = RunId(message.run_id());
  entry.broker_id = BrokerId(message.broker_id());
  entry.backend = message.backend();
  entry.caller = FromProto(message.caller());
  entry.image = message.image();
  entry.policy_name = message.policy_name();
  entry.policy_hash = message.policy_hash();
  for (const Resource& resource : message.resources()) {
    const std::optional<run::Resource::Kind> kind = FromProto(resource.kind());
    if (!kind) return Unreadable("a resource of an unknown kind");
    entry.resources.push_back({.kind = *kind, .name = resource.name(), .id = resource.id()});
  }
  entry.finished_recorded = message.finished_recorded();
  entry.log_mark = message.log_mark();
  entry.requested_image = message.requested_image();
  entry.resolved = {.digest = message.resolved_digest(), .image_id = message.image_id()};
  if (!IsPossible(message)) return Unreadable("an impossible time or size");
  if (message.has_left_at()) entry.left_at = FromProto(message.left_at());
  if (message.has_detachment()) {
    entry.detachment = FromProto(message.detachment());
  }
  return entry;
}

}  // namespace tidewaiter::journal
