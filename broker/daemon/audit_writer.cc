#include "broker/daemon/audit_writer.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidewaiter::daemon {
namespace {

using audit::HashKey;
using audit::Record;
using audit::RecordType;
using run::AuditEvent;

RecordType TypeOf(AuditEvent::Type type) {
  switch (type) {
    case AuditEvent::Type::kBrokerStarted: return RecordType::kBrokerStarted;
    case AuditEvent::Type::kBrokerStopped: return RecordType::kBrokerStopped;
    case AuditEvent::Type::kConfigLoaded: return RecordType::kConfigLoaded;
    case AuditEvent::Type::kPolicyLoaded: return RecordType::kPolicyLoaded;
    case AuditEvent::Type::kPolicyRefused: return RecordType::kPolicyRefused;
    case AuditEvent::Type::kRunDenied: return RecordType::kRunDenied;
    case AuditEvent::Type::kRunAdmitted: return RecordType::kRunAdmitted;
    case AuditEvent::Type::kRunInput: return RecordType::kRunInput;
    case AuditEvent::Type::kRunOutput: return RecordType::kRunOutput;
    case AuditEvent::Type::kRunStarted: return RecordType::kRunStarted;
    case AuditEvent::Type::kRunAdopted: return RecordType::kRunAdopted;
    case AuditEvent::Type::kRunFinished: return RecordType::kRunFinished;
    case AuditEvent::Type::kRunCancelled: return RecordType::kRunCancelled;
    case AuditEvent::Type::kTeardownOverdue: return RecordType::kTeardownOverdue;
    case AuditEvent::Type::kTeardownSettled: return RecordType::kTeardownSettled;
    case AuditEvent::Type::kRunExpired: return RecordType::kRunExpired;
    case AuditEvent::Type::kJournalSetAside: return RecordType::kJournalSetAside;
  }
  return RecordType::kBrokerStarted;
}

std::string NameOf(policy::NetworkMode mode) {
  switch (mode) {
    case policy::NetworkMode::kNone: return "none";
    case policy::NetworkMode::kIsolated: return "isolated";
    case policy::NetworkMode::kBridge: return "bridge";
  }
  return "unknown";
}

struct MountSource {
  Record::Mount& mount;
  void operator()(const std::monostate&) const { mount.type = "none"; }
  void operator()(const policy::BindMount& bind) const {
    mount.type = "bind";
    mount.source = bind.source;
  }
  void operator()(const policy::TmpfsMount& tmpfs) const {
    mount.type = "tmpfs";
    mount.size_bytes = tmpfs.size_bytes;
  }
  void operator()(const policy::InputMount& input) const {
    mount.type = "input";
    mount.source = input.name;
  }
  void operator()(const policy::OutputMount& output) const {
    mount.type = "output";
    mount.source = output.name;
  }
  void operator()(const policy::VolumeMount& volume) const {
    mount.type = "volume";
    mount.source = volume.name;
  }
};

std::vector<std::string> NamesOf(const std::map<std::string, std::string>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

Record::Limits LimitsOf(const policy::Limits& limits) {
  return {.memory_bytes = limits.memory_bytes,
          .cpu_millis = limits.cpu_millis,
          .pids = limits.pids,
          .timeout_ms = limits.timeout.count(),
          .tmpfs_bytes = limits.tmpfs_bytes,
          .log_bytes = limits.log_bytes,
          .open_files = limits.open_files,
          .input_bytes = limits.input_bytes,
          .output_bytes = limits.output_bytes};
}

Record::Effective EffectiveOf(const policy::EffectiveRun& run, const HashKey& key) {
  Record::Effective effective;
  effective.backend = run.backend;
  effective.capabilities = run.add_capabilities;
  effective.command.reserve(run.command.size());
  for (const std::string& argument : run.command) effective.command.push_back(key.Hash(argument));
  for (const auto& [name, value] : run.env) {
    effective.env.push_back({.name = name, .value_hash = key.Hash(value)});
  }
  effective.label_names = NamesOf(run.labels);
  for (const policy::Mount& mount : run.mounts) {
    Record::Mount& added = effective.mounts.emplace_back();
    added.target = mount.target;
    added.read_only = mount.read_only;
    std::visit(MountSource{added}, mount.source);
  }
  effective.network = NameOf(run.network);
  effective.read_only_rootfs = run.read_only_rootfs;
  effective.runtime = run.runtime;
  effective.seccomp_profile = run.seccomp_profile;
  effective.user = std::to_string(run.user.uid) + ":" + std::to_string(run.user.gid);
  effective.verify_tag = run.verify_tag;
  effective.working_dir = run.working_dir;
  return effective;
}

std::vector<Record::Violation> ViolationsOf(const std::vector<policy::Violation>& violations) {
  std::vector<Record::Violation> result;
  result.reserve(violations.size());
  for (const policy::Violation& violation : violations) {
    result.push_back({.rule = violation.rule,
                      .field = violation.field,
                      .message = violation.message,
                      .remedy = violation.remedy});
  }
  return result;
}

Record::Outcome OutcomeOf(const run::Outcome& outcome) {
  Record::Outcome result;
  result.kind = run::ToString(outcome.kind);
  result.reason = outcome.reason;
  result.exit_code = outcome.exit_code;
  result.oom_killed = outcome.oom_killed;
  if (outcome.duration) result.duration_ms = outcome.duration->count();
  return result;
}

Record::Receipt ReceiptOf(const run::Receipt& receipt) {
  Record::Receipt result;
  result.complete = receipt.Complete();
  for (const run::Removal& removal : receipt.removals) {
    result.removals.push_back({.kind = removal.kind,
                               .id = removal.id,
                               .confirmed_absent = removal.confirmed_absent,
                               .error = removal.error});
  }
  return result;
}

}  // namespace

Record::Caller ToRecordCaller(const run::Caller& caller) {
  Record::Caller record{.principal = caller.principal,
                        .uid = caller.uid,
                        .gid = caller.gid,
                        .pid = caller.pid,
                        .executable = caller.executable};
  if (caller.pid_start) record.pid_start = static_cast<std::int64_t>(*caller.pid_start);
  return record;
}

Record ToRecord(const AuditEvent& event, const HashKey& key) {
  Record record;
  record.type = TypeOf(event.type);
  record.run_id = event.run_id.value();
  if (event.caller) record.caller = ToRecordCaller(*event.caller);
  if (!event.request_sha256.empty()) record.request_digest = key.Hash(event.request_sha256);
  record.requested_image = event.requested_image;
  if (event.effective) {
    record.image = event.effective->image.Canonical();
    record.limits = LimitsOf(event.effective->limits);
    record.effective = EffectiveOf(*event.effective, key);
    const policy::Tenant& tenant = event.effective->tenant;
    if (tenant != policy::Tenant()) {
      record.tenant =
          Record::Tenant{.challenge = tenant.challenge, .job = tenant.job, .task = tenant.task};
    }
  }
  if (event.resolved) {
    record.resolved_digest = event.resolved->digest;
    record.image_id = event.resolved->image_id;
  }
  record.container_id = event.container_id;
  record.policy = event.policy_name;
  record.policy_hash = event.policy_hash;
  record.shadow_policy_hash = event.shadow_policy_hash;
  record.config_hash = event.config_hash;
  record.violations = ViolationsOf(event.violations);
  if (event.shadow) {
    record.shadow = Record::Shadow{.policy = event.shadow->policy_name,
                                   .policy_hash = event.shadow->policy_hash,
                                   .admitted = event.shadow->admitted,
                                   .violations = ViolationsOf(event.shadow->violations),
                                   .differing_fields = event.shadow->differing_fields};
  }
  if (event.archive) {
    const run::ArchiveSummary& archive = event.archive->archive;
    record.archive = Record::Archive{.name = event.archive->name,
                                     .sha256 = archive.sha256,
                                     .archive_bytes = archive.archive_bytes,
                                     .entries = archive.entries,
                                     .bytes = archive.bytes,
                                     .omitted = event.archive->omitted,
                                     .error = event.archive->error};
  }
  if (event.outcome) record.outcome = OutcomeOf(*event.outcome);
  if (event.receipt) record.receipt = ReceiptOf(*event.receipt);
  record.dropped_output_bytes = event.dropped_output_bytes;
  record.detail = event.detail;
  return record;
}

Result<void> AuditWriter::Append(const AuditEvent& event, Deadline deadline) {
  const Result<std::uint64_t> index = log_.Append(ToRecord(event, key_), deadline);
  if (!index) return index.error();
  return Ok();
}

void AuditWriter::AppendEventually(const AuditEvent& event, std::function<void()> on_durable) {
  log_.AppendEventually(ToRecord(event, key_), std::move(on_durable));
}

Result<std::map<RunId, run::AuditSink::Standing>> AuditWriter::Recall(
    const std::map<RunId, std::string>& runs) {
  std::map<std::string, std::string> ids;
  for (const auto& [run, mark] : runs) ids.emplace(run.value(), mark);
  TW_ASSIGN(const auto found, log_.Recall(ids));
  std::map<RunId, Standing> standings;
  for (const auto& [id, standing] : found) {
    standings[RunId(id)] = Standing{.admitted = standing.admitted,
                                    .finished = standing.finished,
                                    .expired = standing.expired,
                                    .unsure = standing.unsure};
  }
  return standings;
}

}  // namespace tidewaiter::daemon
