// Writes into a detached run's entry who called it off, while its container is being stopped and
// removed: a broker that dies meanwhile leaves that to the next one. Beside them, which wait for no
// disk.
#pragma once

#include <optional>

#include "base/sized_thread.h"
#include "broker/run/environment.h"
#include "broker/run/journal_entry.h"
#include "broker/run/stop_cause.h"

namespace tidewaiter::run {

class CancelNote {
 public:
  // Nothing is written where `cause` is no cancel, the run is not detached, or `entry` has it
  // already; else `entry` has it from here on. Nobody else writes the entry until this object's
  // end, which waits for the writing's.
  CancelNote(const Environment& environment, const std::optional<StopCause>& cause,
             JournalEntry& entry);

 private:
  SizedThread writing_;
};

}  // namespace tidewaiter::run
