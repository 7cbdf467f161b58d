#include "broker/run/supervisor.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/run/decide.h"
#include "broker/run/execution.h"
#include "broker/run/run_events.h"
#include "broker/run/shadow.h"
#include "broker/run/teardown.h"

namespace tidewaiter::run {
namespace {

Error Refusal(Error error, std::string_view reason) {
  error.reason = reason;
  return error;
}

// Refused before anything was decided or recorded.
Error StoppedEarly(const StopCause& cause) {
  if (cause.kind == StopCause::Kind::kShutdown) {
    return Fail(ErrorCode::kUnavailable, "start the run: the broker is shutting down",
                "SHUTTING_DOWN");
  }
  return Fail(ErrorCode::kCancelled, "start the run: cancelled before it was admitted");
}

void Write(const Environment& environment, LogLevel level, const std::string& message) {
  if (environment.log != nullptr) environment.log->Write(level, message);
}

// Each of the next six has large objects that Supervise needs for a moment only. Inlined they
// would lie in the frame of a thread that waits for hours, a page or two of memory for each run.

struct Judgement {
  // Held until the decision is on record: a reload waits for that.
  PoliciesInForce::Lease policies;
  Verdict verdict;
  std::optional<ShadowDecision> shadow;
};

// Asks the host about each path once, so that two policies are told the same.
class RememberedPaths final : public policy::HostPaths {
 public:
  explicit RememberedPaths(const policy::HostPaths& host) : host_(host) {}

  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    const auto known = answers_.find(path);
    if (known != answers_.end()) return known->second;
    return answers_.emplace(path, host_.CheckTrusted(path)).first->second;
  }

 private:
  const policy::HostPaths& host_;
  mutable std::map<std::string, Result<void>> answers_;
};

[[gnu::noinline]] Judgement Judge(const Environment& environment, const RunRequest& request) {
  const RememberedPaths host(*environment.host_paths);
  Judgement judgement{.policies = environment.policies->Get(), .verdict = {}, .shadow = {}};
  const Policies& policies = *judgement.policies;
  judgement.verdict = Decide(environment, *policies.enforced, request, host);
  if (policies.shadow != nullptr) {
    judgement.shadow = CompareWithShadow(*policies.shadow, request, host, judgement.verdict);
  }
  return judgement;
}

[[gnu::noinline]] Result<void> RecordDenial(const Environment& environment, const RunFacts& facts,
                                            Judgement& judgement) {
  return environment.audit->Append(
      DeniedEvent(facts, judgement.verdict.violations, std::move(judgement.shadow)),
      Deadline::After(environment.settings.audit_deadline));
}

[[gnu::noinline]] Result<void> RecordAdmission(const Environment& environment,
                                               const RunFacts& facts, Judgement& judgement) {
  const policy::EffectiveRun& effective = judgement.verdict.admitted->effective();
  return environment.audit->Append(AdmittedEvent(facts, effective, std::move(judgement.shadow)),
                                   Deadline::After(environment.settings.audit_deadline));
}

[[gnu::noinline]] std::shared_ptr<Recorded> RecordFinished(AuditSink& audit, const RunFacts& facts,
                                                           const Outcome& outcome,
                                                           const Receipt& receipt,
                                                           const Execution& execution) {
  AuditEvent finished = FinishedEvent(facts, outcome, receipt);
  finished.resolved = execution.image();
  finished.container_id = execution.container_id();
  finished.dropped_output_bytes = execution.dropped_output_bytes();
  auto recorded = std::make_shared<Recorded>();
  audit.AppendEventually(finished, [recorded] { recorded->Set(true); });
  return recorded;
}

// Removes the directory of a run that was not admitted after all, where the log is sure of that;
// else the reaper asks it later.
[[gnu::noinline]] void TakeBack(const Environment& environment, Reaper& reaper,
                                const JournalEntry& entry, const Error& error, RunInfo info) {
  if (error.code != ErrorCode::kDeadlineExceeded &&
      environment.journal
          ->Close(entry.run_id, Deadline::After(environment.settings.teardown_timeout))
          .confirmed_absent) {
    return;
  }
  Overdue overdue;
  overdue.entry = entry;
  overdue.entry.resources.clear();  // nothing was created
  overdue.outcome.kind = Outcome::Kind::kFailed;
  overdue.outcome.reason = "AUDIT_UNAVAILABLE";
  overdue.outcome.message = error.message;
  overdue.info = std::move(info);
  overdue.info.image = entry.image;
  reaper.Adopt(std::move(overdue));
}

// Gives `resources`, and a directory that has to stay, to the reaper.
[[gnu::noinline]] void HandOver(Reaper& reaper, ActiveRun& run, const JournalEntry& entry,
                                std::vector<Resource> resources, const Outcome& outcome,
                                const Receipt& receipt, std::shared_ptr<Recorded> recorded) {
  Overdue overdue;
  overdue.receipt = receipt;
  overdue.entry = entry;
  overdue.entry.resources = std::move(resources);
  overdue.recorded = std::move(recorded);
  overdue.outcome = outcome;
  overdue.info = run.Snapshot();
  reaper.Adopt(std::move(overdue));
}

// Waits for its turn; the outcome where the run ends here.
std::optional<Outcome> AwaitSlot(const RunSettings& settings, Slots::Place& place, ActiveRun& run,
                                 RunObserver& observer) {
  if (place.ahead()) observer.OnQueued(*place.ahead());
  if (place.Wait(run.stop_token(), Deadline::After(settings.queue_timeout))) return std::nullopt;
  if (const auto cause = run.stop_cause()) return StoppedBy(*cause);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kFailed;
  outcome.reason = "NO_CAPACITY";
  outcome.message = "wait for a slot: none became free in time";
  return outcome;
}

}  // namespace

void Supervise(const Environment& environment, Slots& slots, Reaper& reaper, ActiveRun& run,
               RunRequest&& request) {
  const RunSettings& settings = environment.settings;
  RunJournal& journal = *environment.journal;
  RunObserver& observer = *request.observer;
  const std::string subject =
      "run " + Quoted(run.run_id().value()) + " of " + Quoted(run.caller().principal);

  // Decide. A denial is recorded before the caller hears of it.
  Judgement judgement = Judge(environment, request);
  const Verdict& verdict = judgement.verdict;
  const RunFacts facts{.run_id = run.run_id(),
                       .caller = request.caller,
                       .requested_image = Printable(request.spec.image, 1024),
                       .policy_name = verdict.policy_name,
                       .policy_hash = verdict.policy_hash};
  request.spec = {};  // a waiting run keeps only what was admitted
  if (!verdict.admitted) {
    const auto recorded = RecordDenial(environment, facts, judgement);
    if (recorded)
      observer.OnDenied(verdict.violations, facts.policy_name, facts.policy_hash);
    else
      observer.OnRefused(Refusal(recorded.error(), "AUDIT_UNAVAILABLE"));
    return observer.OnDone();
  }
  const policy::AdmittedRun& admitted = *verdict.admitted;
  const policy::EffectiveRun& effective = admitted.effective();
  Backend& backend = *verdict.backend;
  if (const auto cause = run.stop_cause()) {
    observer.OnRefused(StoppedEarly(*cause));
    return observer.OnDone();
  }

  // Journal, then record the admission: after a crash the directory says which runs to ask the log
  // about (docs/adr/0004). The engine hears of nothing before both are on disk.
  JournalEntry entry{.run_id = run.run_id(),
                     .broker_id = environment.broker_id,
                     .backend = std::string(backend.name()),
                     .caller = request.caller,
                     .requested_image = facts.requested_image,
                     .image = effective.image.Canonical(),
                     .resolved = {},
                     .policy_name = facts.policy_name,
                     .policy_hash = facts.policy_hash,
                     .log_mark = environment.audit->Mark(),
                     .resources = backend.Plan(admitted, run.run_id()),
                     .finished_recorded = false};
  if (const auto opened = journal.Open(entry); !opened) {
    // What a failed Open may have left.
    static_cast<void>(journal.Close(run.run_id(), Deadline::After(settings.teardown_timeout)));
    observer.OnRefused(Refusal(opened.error(), "JOURNAL_UNAVAILABLE"));
    return observer.OnDone();
  }
  if (const auto recorded = RecordAdmission(environment, facts, judgement); !recorded) {
    Write(environment, LogLevel::kError, "admit " + subject + ": " + recorded.error().message);
    TakeBack(environment, reaper, entry, recorded.error(), run.Snapshot());
    observer.OnRefused(Refusal(recorded.error(), "AUDIT_UNAVAILABLE"));
    return observer.OnDone();
  }
  judgement.policies.reset();
  run.MarkAdmitted(entry.image, effective.tenant);
  observer.OnAdmitted(run.run_id(), admitted);

  // Run, once there is a slot.
  const std::unique_ptr<Slots::Place> place = slots.Enter();
  std::vector<Resource> resources;
  Execution execution(environment, backend, facts, admitted, request, run);
  std::optional<Outcome> unstarted = AwaitSlot(settings, *place, run, observer);
  const bool no_capacity = unstarted && unstarted->kind == Outcome::Kind::kFailed;
  if (!unstarted) run.EnterState(RunState::kPreparing);
  const Outcome outcome = unstarted ? *std::move(unstarted) : execution.Run(entry, resources);
  if (no_capacity) {
    observer.OnRefused(Fail(ErrorCode::kResourceExhausted, outcome.message, outcome.reason));
  } else {
    observer.OnOutcome(outcome);
  }

  // Tear down, with a deadline of its own and never the run's token.
  run.EnterState(RunState::kTearingDown);
  run.RefuseStops();
  const Deadline teardown_ends = Deadline::After(settings.teardown_timeout);
  Receipt receipt = Teardown(backend, run.run_id(), resources, teardown_ends);

  // Record the end, exactly once. A log that cannot be written now will take the record later; the
  // directory stays until it has.
  const auto recorded = RecordFinished(*environment.audit, facts, outcome, receipt, execution);
  const bool durable = recorded->Wait({}, Deadline::After(settings.audit_deadline)).has_value();
  Removal directory{.kind = "run-directory",
                    .id = run.run_id().value(),
                    .confirmed_absent = false,
                    .error = durable ? "kept until everything in it is removed"
                                     : "kept until the audit log has recorded the end"};
  if (durable && resources.empty()) directory = CloseRun(environment, run.run_id(), teardown_ends);
  Write(environment, LogLevel::kInfo, subject + ": " + std::string(ToString(outcome.kind)));
  if (!directory.confirmed_absent) {
    HandOver(reaper, run, entry, std::move(resources), outcome, receipt, recorded);
  }
  receipt.removals.push_back(std::move(directory));
  if (!no_capacity) observer.OnReceipt(receipt);
  observer.OnDone();
}

}  // namespace tidewaiter::run
