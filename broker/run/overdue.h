// A run that is over but not done with: what the reaper needs to know to finish it. One attempt is
// a few steps, each of which leaves what it could not do for the next attempt.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/completion.h"
#include "broker/run/environment.h"
#include "broker/run/kept_run.h"
#include "broker/run/run_journal.h"
#include "broker/run/run_registry.h"

namespace tidewaiter::run {

// Set once a terminal record is on disk.
using Recorded = Completion<bool>;

// Used by the reaper alone once it is adopted, on one thread at a time; `info` and `entry.run_id`
// never change.
struct Overdue {
  JournalEntry entry;  // resources: what is still to be removed, in order of creation
  std::shared_ptr<Recorded> recorded;  // null: the log is to be asked whether it knows the run
  Outcome outcome;                     // what to record where the log knows of no end
  RunInfo info;
  // Of a detached run: how it ended. Absent where a former process died before it knew that.
  std::optional<KeptRun> kept;
  Receipt receipt;         // what the attempts so far have come to
  bool announced = false;  // kTeardownOverdue is in the log: kTeardownSettled must follow
  // Of a directory that was set aside: only its name is known, so the log must know the run.
  bool set_aside = false;
};

// Says in the log, once, what is left, so that a later kTeardownSettled has its beginning; and
// writes it to the journal as soon as the end of the run is on disk.
void Announce(const Environment& environment, Overdue& overdue);

// Tries once more to remove what is left. False where the backend does not answer: to go on asking
// it would only make others wait.
[[nodiscard]] bool RemoveResources(const Environment& environment, Overdue& overdue);
// In place of an attempt: the receipt says why there was none.
void PutOff(Overdue& overdue, const std::string& cause);

// `standing` is the log's answer: records the end of a run that the log admitted (or may have
// admitted in a file that is no longer there) and did not finish, and sets `recorded`.
// False where the result of a detached run cannot be written, which comes first.
[[nodiscard]] bool RecordEnd(const Environment& environment, Overdue& overdue,
                             const AuditSink::Standing& standing);

// Where nothing is left and the end is on disk: closes the journal. True where the run is done
// with. Where something is left, be it only the directory, announces it.
bool Settle(const Environment& environment, Overdue& overdue);

}  // namespace tidewaiter::run
