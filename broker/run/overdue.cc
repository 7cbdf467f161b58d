#include "broker/run/overdue.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "broker/run/run_events.h"
#include "broker/run/teardown.h"

namespace tidewaiter::run {
namespace {

std::string WhatIsLeft(const Overdue& overdue) {
  std::string text;
  for (const Removal& removal : overdue.receipt.removals) {
    if (removal.confirmed_absent) continue;
    if (!text.empty()) text += "; ";
    text += removal.kind + " '" + removal.id + "': " + removal.error;
  }
  return text;
}

// Of earlier attempts: the next one says what is still left.
void ForgetFailures(Receipt& receipt) {
  std::erase_if(receipt.removals, [](const Removal& removal) { return !removal.confirmed_absent; });
}

// Of a detached run whose own thread is gone with a former process.
KeptRun WhatIsKnown(const Overdue& overdue) {
  return {.entry = overdue.entry,
          .container_id = {},
          .outcome = overdue.outcome,
          .receipt = {},
          .dropped_bytes = 0,
          .truncated = {},
          .outputs = {},
          .ended_at = std::chrono::system_clock::now(),
          .log_bytes = 0,
          .archive_bytes = 0};
}

// Its directory, where nothing else is left.
Removal Close(const Environment& environment, const Overdue& overdue) {
  const Deadline deadline = Deadline::After(environment.settings.teardown_timeout);
  if (!overdue.entry.detachment) return CloseRun(environment, overdue.entry.run_id, deadline);
  KeptRun kept = overdue.kept ? *overdue.kept : WhatIsKnown(overdue);
  kept.receipt = overdue.receipt;
  return KeepRun(environment, kept, deadline);
}

}  // namespace

void Announce(const Environment& environment, Overdue& overdue) {
  if (!overdue.announced) {
    overdue.announced = true;
    const std::string left = WhatIsLeft(overdue);
    environment.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownOverdue, overdue.entry.run_id, left));
    if (environment.log != nullptr) {
      environment.log->Write(LogLevel::kWarning, "tear down run " +
                                                     Quoted(overdue.entry.run_id.value()) +
                                                     ": overdue, trying again: " + left);
    }
    if (overdue.entry.left_at) static_cast<void>(environment.journal->Update(overdue.entry));
  }
  // What is left, with the engine's ids and the state of the log: a later process need not ask.
  // Only an optimisation, so a failure costs nothing.
  if (!overdue.entry.finished_recorded && overdue.recorded && overdue.recorded->Peek()) {
    overdue.entry.finished_recorded = true;
    static_cast<void>(environment.journal->Update(overdue.entry));
  }
}

void PutOff(Overdue& overdue, const std::string& cause) {
  ForgetFailures(overdue.receipt);
  for (const Resource& resource : overdue.entry.resources) {
    overdue.receipt.removals.push_back(
        Removal{.kind = std::string(ToString(resource.kind)),
                .id = resource.id.empty() ? resource.name : resource.id,
                .confirmed_absent = false,
                .error = cause});
  }
}

bool RemoveResources(const Environment& environment, Overdue& overdue) {
  if (overdue.entry.resources.empty()) return true;
  const Deadline deadline = Deadline::After(environment.settings.teardown_timeout);
  const auto backend = environment.backends.find(overdue.entry.backend);
  if (backend == environment.backends.end()) {
    PutOff(overdue, "backend '" + overdue.entry.backend + "' is not configured");
    return true;
  }
  ForgetFailures(overdue.receipt);
  Receipt attempt =
      Teardown(*backend->second, overdue.entry.run_id, overdue.entry.resources, deadline);
  const bool answered =
      std::none_of(attempt.removals.begin(), attempt.removals.end(),
                   [&](const Removal& removal) { return IsUnanswered(removal, deadline); });
  std::move(attempt.removals.begin(), attempt.removals.end(),
            std::back_inserter(overdue.receipt.removals));
  return answered;
}

bool RecordEnd(const Environment& environment, Overdue& overdue,
               const AuditSink::Standing& standing) {
  const bool admitted = standing.admitted || (standing.unsure && !overdue.set_aside);
  if (standing.finished || !admitted) {
    // Of a run that never was, nothing is kept: its key is free.
    if (!standing.finished && std::exchange(overdue.entry.detachment, std::nullopt) &&
        environment.on_forgotten) {
      environment.on_forgotten(overdue.entry.run_id);
    }
    overdue.recorded = std::make_shared<Recorded>();
    overdue.recorded->Set(true);
    return true;
  }
  // First: what has a launch and no result is adopted by the next process.
  if (overdue.entry.detachment && !overdue.kept) overdue.kept = WhatIsKnown(overdue);
  if (overdue.kept && !environment.journal->Conclude(*overdue.kept)) return false;
  const auto recorded = std::make_shared<Recorded>();
  overdue.recorded = recorded;
  AuditEvent finished = FinishedEvent(FactsOf(overdue.entry), overdue.outcome, overdue.receipt);
  finished.resolved = overdue.entry.resolved;
  // Who it was stood in the directory that could not be read; the admission's record says it.
  if (overdue.set_aside) finished.caller.reset();
  if (standing.unsure) {
    finished.detail = "its admission would be in an audit file that was moved away meanwhile";
  }
  environment.audit->AppendEventually(finished, [recorded] { recorded->Set(true); });
  return true;
}

bool Settle(const Environment& environment, Overdue& overdue) {
  if (!overdue.entry.resources.empty()) {
    Announce(environment, overdue);
    return false;
  }
  if (!overdue.recorded || !overdue.recorded->Peek()) return false;
  Removal directory = Close(environment, overdue);
  if (!directory.confirmed_absent) {
    ForgetFailures(overdue.receipt);
    overdue.receipt.removals.push_back(std::move(directory));
    Announce(environment, overdue);
    return false;
  }
  if (overdue.announced) {
    environment.audit->AppendEventually(
        TeardownEvent(AuditEvent::Type::kTeardownSettled, overdue.entry.run_id, ""));
  }
  return true;
}

}  // namespace tidewaiter::run
