#include "wire/answers.h"

#include "base/printable.h"
#include "wire/run_spec.h"

namespace tidewaiter::wire {
namespace {

constexpr std::size_t kMaxMessageBytes = 4096;

// Engines and registries put whatever they like into their errors.
std::string Text(const std::string& text) {
  if (IsUtf8(text) && text.size() <= kMaxMessageBytes) return text;
  return Printable(text, kMaxMessageBytes);
}

v1::RunResult::Outcome ToProto(run::Outcome::Kind kind) {
  using Kind = run::Outcome::Kind;
  switch (kind) {
    case Kind::kExited: return v1::RunResult::EXITED;
    case Kind::kTimedOut: return v1::RunResult::TIMED_OUT;
    case Kind::kCancelled: return v1::RunResult::CANCELLED;
    case Kind::kCommandFailed: return v1::RunResult::COMMAND_FAILED;
    case Kind::kFailed: return v1::RunResult::FAILED;
    case Kind::kShutdown: return v1::RunResult::SHUTDOWN;
    case Kind::kClientGone: return v1::RunResult::CLIENT_GONE;
    case Kind::kLost: return v1::RunResult::LOST;
  }
  return v1::RunResult::OUTCOME_UNSPECIFIED;
}

v1::RunInfo::State ToProto(run::RunState state) {
  switch (state) {
    case run::RunState::kQueued: return v1::RunInfo::QUEUED;
    case run::RunState::kPreparing: return v1::RunInfo::PREPARING;
    case run::RunState::kRunning: return v1::RunInfo::RUNNING;
    case run::RunState::kTearingDown: return v1::RunInfo::TEARING_DOWN;
    case run::RunState::kOverdue: return v1::RunInfo::OVERDUE;
  }
  return v1::RunInfo::STATE_UNSPECIFIED;
}

v1::ExplainResponse Explained(const policy::AdmittedRun* admitted,
                              const std::vector<policy::Violation>& violations,
                              const std::string& policy_name, const std::string& policy_hash) {
  v1::ExplainResponse out;
  if (admitted != nullptr) {
    out.set_admitted(true);
    *out.mutable_effective() = wire::ToProto(admitted->effective());
  }
  for (const policy::Violation& violation : violations) {
    *out.add_violations() = wire::ToProto(violation);
  }
  out.set_policy(policy_name);
  out.set_policy_hash(policy_hash);
  return out;
}

}  // namespace

google::protobuf::Timestamp ToTimestamp(std::chrono::system_clock::time_point time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch - seconds);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds.count());
  timestamp.set_nanos(static_cast<std::int32_t>(nanos.count()));
  return timestamp;
}

v1::Violation ToProto(const policy::Violation& violation) {
  v1::Violation out;
  out.set_rule(violation.rule);
  out.set_field(Text(violation.field));
  out.set_message(Text(violation.message));
  out.set_remedy(Text(violation.remedy));
  return out;
}

policy::Violation FromProto(const v1::Violation& violation) {
  return {violation.rule(), violation.field(), violation.message(), violation.remedy()};
}

v1::RunResult ToProto(const run::Outcome& outcome) {
  v1::RunResult out;
  out.set_outcome(ToProto(outcome.kind));
  out.set_exit_code(outcome.exit_code);
  out.set_oom_killed(outcome.oom_killed);
  out.set_message(Text(outcome.message));
  out.set_reason(outcome.reason);
  if (outcome.duration) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*outcome.duration);
    const std::chrono::nanoseconds rest = *outcome.duration - seconds;
    out.mutable_duration()->set_seconds(seconds.count());
    out.mutable_duration()->set_nanos(static_cast<std::int32_t>(rest.count()));
  }
  return out;
}

v1::OutputEnd ToProto(const run::OutputSummary& summary) {
  v1::OutputEnd end;
  end.set_entries(summary.archive.entries);
  end.set_bytes(summary.archive.bytes);
  for (const run::Omission& omission : summary.omissions.listed) {
    v1::Omission& added = *end.add_omissions();
    added.set_path(omission.path);
    added.set_code(omission.code);
  }
  end.set_omitted(summary.omissions.count);
  return end;
}

v1::Receipt ToProto(const run::Receipt& receipt) {
  v1::Receipt out;
  for (const run::Removal& removal : receipt.removals) {
    v1::Removal& added = *out.add_removals();
    added.set_kind(removal.kind);
    added.set_id(Text(removal.id));
    added.set_confirmed_absent(removal.confirmed_absent);
    added.set_error(Text(removal.error));
  }
  out.set_complete(receipt.Complete());
  return out;
}

v1::RunInfo ToProto(const run::RunInfo& info) {
  v1::RunInfo out;
  out.set_run_id(info.run_id.value());
  out.set_principal(info.principal);
  out.set_state(ToProto(info.state));
  out.set_image(info.image);
  *out.mutable_admitted_at() = ToTimestamp(info.admitted_at);
  if (info.started_at) *out.mutable_started_at() = ToTimestamp(*info.started_at);
  if (info.tenant != policy::Tenant{}) {
    out.mutable_tenant()->set_challenge(info.tenant.challenge);
    out.mutable_tenant()->set_job(info.tenant.job);
    out.mutable_tenant()->set_task(info.tenant.task);
  }
  out.set_container_id(info.container_id);
  return out;
}

v1::ExplainResponse ToExplainResponse(const policy::Decision& decision,
                                      const policy::Policy& policy) {
  return Explained(decision.admitted(), decision.violations(), policy.name(), policy.hash());
}

v1::ExplainResponse ToExplainResponse(const run::Verdict& verdict) {
  v1::ExplainResponse out = Explained(verdict.admitted ? &*verdict.admitted : nullptr,
                                      verdict.violations, verdict.policy_name, verdict.policy_hash);
  if (verdict.admitted) AddEnforcement(verdict.backend->Notes(verdict.admitted->effective()), out);
  return out;
}

void AddEnforcement(const std::vector<policy::Enforcement>& notes, v1::ExplainResponse& response) {
  for (const policy::Enforcement& note : notes) {
    v1::Enforcement& added = *response.add_enforcement();
    added.set_field(note.field);
    added.set_by(note.by);
    added.set_value(note.value);
    added.set_message(note.message);
  }
}

}  // namespace tidewaiter::wire
