#include "broker/run/supervisor.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/mask_credentials.h"
#include "base/printable.h"
#include "broker/run/decide.h"
#include "broker/run/execution.h"
#include "broker/run/run_end.h"
#include "broker/run/run_events.h"
#include "broker/run/run_outputs.h"
#include "broker/run/shadow.h"

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

// Each of the next seven has large objects that Supervise needs for a moment only. Inlined they
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

// Removes the directory of a run that was not admitted after all, where the log is sure of that;
// else the reaper asks it later.
[[gnu::noinline]] void TakeBack(const Environment& environment, Reaper& reaper,
                                const JournalEntry& entry, const Error& error, ActiveRun& run) {
  if (error.code != ErrorCode::kDeadlineExceeded &&
      environment.journal
          ->Close(entry.run_id, Deadline::After(environment.settings.teardown_timeout))
          .confirmed_absent) {
    return;
  }
  Overdue overdue;
  overdue.entry = entry;
  overdue.entry.resources.clear();  // nothing was created
  overdue.entry.detachment.reset();
  overdue.outcome.kind = Outcome::Kind::kFailed;
  overdue.outcome.reason = "AUDIT_UNAVAILABLE";
  overdue.outcome.message = error.message;
  overdue.info = run.Snapshot();
  overdue.info.image = entry.image;
  reaper.Adopt(std::move(overdue));
}

[[gnu::noinline]] JournalEntry NewEntry(const Environment& environment, const ActiveRun& run,
                                        const RunRequest& request, const RunFacts& facts,
                                        const Verdict& verdict) {
  const policy::EffectiveRun& effective = verdict.admitted->effective();
  JournalEntry entry{.run_id = run.run_id(),
                     .broker_id = environment.broker_id,
                     .backend = std::string(verdict.backend->name()),
                     .caller = request.caller,
                     .requested_image = facts.requested_image,
                     .image = effective.image.Canonical(),
                     .resolved = {},
                     .policy_name = facts.policy_name,
                     .policy_hash = facts.policy_hash,
                     .log_mark = environment.audit->Mark(),
                     .resources = verdict.backend->Plan(*verdict.admitted, run.run_id()),
                     .finished_recorded = false,
                     .detachment = {},
                     .left_at = {}};
  if (request.detached) {
    entry.detachment = {.idempotency_key = effective.idempotency_key,
                        .outputs = OutputsOf(effective).names,
                        .output_bytes = effective.limits.output_bytes,
                        .log_bytes = effective.limits.log_bytes,
                        .timeout = effective.limits.timeout,
                        .tenant = effective.tenant,
                        .launch = {},
                        .cancelled_by = {}};
  }
  return entry;
}

// What EndRun is given, but for the references, is moved from where it lies.
[[gnu::noinline]] bool Finish(const Environment& environment, Reaper& reaper, ActiveRun& run,
                              Backend& backend, const RunFacts& facts, JournalEntry& entry,
                              std::vector<Resource>& resources, Ending& ending,
                              RunObserver& observer, bool refused) {
  return EndRun(environment, reaper, run,
                {.backend = backend,
                 .facts = facts,
                 .entry = std::move(entry),
                 .resources = std::move(resources),
                 .ending = std::move(ending),
                 .observer = observer,
                 .refused = refused});
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

bool Supervise(const Environment& environment, Slots& slots, Reaper& reaper, ActiveRun& run,
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
                       .requested_image = Printable(MaskCredentials(request.spec.image), 1024),
                       .request_sha256 = request.sha256,
                       .policy_name = verdict.policy_name,
                       .policy_hash = verdict.policy_hash};
  request.spec = {};  // a waiting run keeps only what was admitted
  if (!verdict.admitted) {
    const auto recorded = RecordDenial(environment, facts, judgement);
    if (recorded)
      observer.OnDenied(verdict.violations, facts.policy_name, facts.policy_hash);
    else
      observer.OnRefused(Refusal(recorded.error(), "AUDIT_UNAVAILABLE"));
    observer.OnDone();
    return false;
  }
  const policy::AdmittedRun& admitted = *verdict.admitted;
  const policy::EffectiveRun& effective = admitted.effective();
  Backend& backend = *verdict.backend;
  if (const auto cause = run.stop_cause()) {
    observer.OnRefused(StoppedEarly(*cause));
    observer.OnDone();
    return false;
  }

  // Journal, then record the admission: after a crash the directory says which runs to ask the log
  // about (docs/adr/0004). The engine hears of nothing before both are on disk.
  JournalEntry entry = NewEntry(environment, run, request, facts, verdict);
  if (const auto opened = journal.Open(entry); !opened) {
    // What a failed Open may have left.
    static_cast<void>(journal.Close(run.run_id(), Deadline::After(settings.teardown_timeout)));
    observer.OnRefused(Refusal(opened.error(), "JOURNAL_UNAVAILABLE"));
    observer.OnDone();
    return false;
  }
  if (const auto recorded = RecordAdmission(environment, facts, judgement); !recorded) {
    Write(environment, LogLevel::kError, "admit " + subject + ": " + recorded.error().message);
    TakeBack(environment, reaper, entry, recorded.error(), run);
    observer.OnRefused(Refusal(recorded.error(), "AUDIT_UNAVAILABLE"));
    observer.OnDone();
    return false;
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
  Ending ending;
  if (unstarted) {
    ending.outcome = *std::move(unstarted);
  } else {
    run.EnterState(RunState::kPreparing);
    ending = execution.Run(entry, resources);
  }
  if (execution.left()) {
    // Its observer is told nothing: nothing of it is over.
    run.MarkLeft();
    Write(environment, LogLevel::kInfo, subject + ": goes on; the next broker adopts it");
    return true;
  }
  if (no_capacity) {
    observer.OnRefused(
        Fail(ErrorCode::kResourceExhausted, ending.outcome.message, ending.outcome.reason));
  }
  return Finish(environment, reaper, run, backend, facts, entry, resources, ending, observer,
                no_capacity);
}

}  // namespace tidewaiter::run
