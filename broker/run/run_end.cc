#include "broker/run/run_end.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/run/overdue.h"
#include "broker/run/teardown.h"

namespace tidewaiter::run {
namespace {

using Kind = Outcome::Kind;

void Write(const Environment& environment, LogLevel level, const std::string& message) {
  if (environment.log != nullptr) environment.log->Write(level, message);
}

// Not inlined: the event would lie in the frame in which the run waits for the log.
[[gnu::noinline]] std::shared_ptr<Recorded> RecordFinished(AuditSink& audit, const RunEnd& end,
                                                           const Receipt& receipt) {
  AuditEvent finished = FinishedEvent(end.facts, end.ending.outcome, receipt);
  finished.resolved = end.ending.image;
  finished.container_id = end.ending.container_id;
  finished.dropped_output_bytes = end.ending.dropped_output_bytes;
  auto recorded = std::make_shared<Recorded>();
  audit.AppendEventually(finished, [recorded] { recorded->Set(true); });
  return recorded;
}

// Through no doing of its own or its caller's: it may be tried again under its key.
bool NeverRan(const RunEnd& end) {
  return end.entry.detachment && !end.entry.detachment->launch &&
         end.ending.outcome.kind == Kind::kShutdown;
}

// What stays of a detached run.
KeptRun WhatIsKept(const RunEnd& end, const Receipt& receipt) {
  return KeptRun{.entry = end.entry,
                 .container_id = end.ending.container_id,
                 .outcome = end.ending.outcome,
                 .receipt = receipt,
                 .dropped_bytes = end.ending.dropped_output_bytes,
                 .truncated = end.ending.truncated,
                 .outputs = end.ending.outputs,
                 .ended_at = std::chrono::system_clock::now(),
                 .log_bytes = 0,
                 .archive_bytes = 0};
}

// Before the log knows of its end: after a crash nothing else could say how it ended, and one that
// has a launch and no result is adopted.
bool Conclude(const Environment& environment, const KeptRun& kept) {
  const auto concluded = environment.journal->Conclude(kept);
  if (concluded) return true;
  Write(environment, LogLevel::kError,
        "conclude run " + Quoted(kept.entry.run_id.value()) + ": " + concluded.error().message);
  return false;
}

}  // namespace

bool EndRun(const Environment& environment, Reaper& reaper, ActiveRun& run, RunEnd end) {
  const RunSettings& settings = environment.settings;
  JournalEntry& entry = end.entry;
  // With a deadline of its own and never the run's token.
  run.EnterState(RunState::kTearingDown);
  run.RefuseStops();
  // As soon as it can, since after the teardown nobody else could tell how it ended; but a disk
  // that hangs must not let a container run on.
  const bool detached = entry.detachment.has_value() && !end.refused;
  // A detached run's, once no other process can find another one.
  if (!detached && !end.refused) end.observer.OnOutcome(end.ending.outcome);
  bool concluded = !detached;
  if (detached && end.ending.container_ended) {
    concluded = Conclude(environment, WhatIsKept(end, Receipt()));
    if (concluded) end.observer.OnOutcome(end.ending.outcome);
  }
  const bool told = detached && concluded;
  if (!end.ending.notes) end.ending.notes = std::make_shared<EntryNotes>(environment);
  if (!concluded) end.ending.notes->NoteCancel(run.stop_cause(), entry);
  Receipt receipt = Teardown(end.backend, run.run_id(), end.resources,
                             Deadline::After(settings.teardown_timeout));
  end.ending.notes.reset();
  // Of one that never came to its turn nothing is kept: it may be tried again under its key.
  if (end.refused && std::exchange(entry.detachment, std::nullopt)) {
    static_cast<void>(environment.journal->Update(entry));
  }
  if (NeverRan(end)) {
    entry.detachment->idempotency_key.clear();
    static_cast<void>(environment.journal->Update(entry));
  }
  std::optional<KeptRun> kept;
  if (detached) kept = WhatIsKept(end, receipt);
  if (!concluded) concluded = Conclude(environment, *kept);
  if (detached && !told) end.observer.OnOutcome(end.ending.outcome);

  // Record the end, exactly once. A log that cannot be written now will take the record later; the
  // directory stays until it has. Where the result is not on disk, the reaper does both.
  std::shared_ptr<Recorded> recorded;
  if (concluded) recorded = RecordFinished(*environment.audit, end, receipt);
  const bool durable =
      recorded && recorded->Wait({}, Deadline::After(settings.audit_deadline)).has_value();
  Removal directory{.kind = "run-directory",
                    .id = run.run_id().value(),
                    .confirmed_absent = false,
                    .error = durable ? "kept until everything in it is removed"
                                     : "kept until the audit log has recorded the end"};
  if (durable && end.resources.empty()) {
    const Deadline closed = Deadline::After(settings.teardown_timeout);
    directory =
        kept ? KeepRun(environment, *kept, closed) : CloseRun(environment, run.run_id(), closed);
  }
  Write(environment, LogLevel::kInfo,
        "run " + Quoted(run.run_id().value()) + " of " + Quoted(run.caller().principal) + ": " +
            std::string(ToString(end.ending.outcome.kind)));
  if (!directory.confirmed_absent) {
    Overdue overdue;
    overdue.receipt = receipt;
    overdue.kept = std::move(kept);
    overdue.entry = std::move(entry);
    overdue.entry.resources = std::move(end.resources);
    overdue.recorded = std::move(recorded);
    overdue.outcome = std::move(end.ending.outcome);
    overdue.info = run.Snapshot();
    reaper.Adopt(std::move(overdue));
  }
  // A kept directory is nothing that should be gone.
  if (!detached || !directory.confirmed_absent) receipt.removals.push_back(std::move(directory));
  if (!end.refused) end.observer.OnReceipt(receipt);
  end.observer.OnDone();
  return detached;
}

}  // namespace tidewaiter::run
