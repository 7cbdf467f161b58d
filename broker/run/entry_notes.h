// Writes into a detached run's entry what the next broker has to know if this one dies while the
// container runs, is being stopped or removed: which of the engine's own things runs the command,
// and who called the run off. Beside the run, which waits for no disk.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/completion.h"
#include "base/sized_thread.h"
#include "broker/run/environment.h"
#include "broker/run/journal_entry.h"
#include "broker/run/stop_cause.h"

namespace tidewaiter::run {

// The id of what runs the command, as the entry has it; empty where that is not known.
std::string RunnerOf(const JournalEntry& entry);

// One thread at a time. Nobody else writes the entry until this object's end, which waits for what
// is on its way to the disk.
class EntryNotes {
 public:
  explicit EntryNotes(const Environment& environment) : environment_(environment) {}

  // Nothing is written where the run is not detached, the container knows no Runner, or `entry` has
  // it already; else `entry` has it from here on. Waits until it is on disk, but not long, and not
  // where the run is to stop: a command that runs is not ended because that cannot be written.
  void NoteRunner(Container& container, JournalEntry& entry, const std::stop_token& stop);
  // Nothing is written where `cause` is no cancel, the run is not detached, or `entry` names
  // somebody already; else `entry` has it from here on.
  void NoteCancel(const std::optional<StopCause>& cause, JournalEntry& entry);

 private:
  // Set once it has been tried, after all that was to be written before. Null where no thread is to
  // be had.
  std::shared_ptr<Completion<bool>> Write(const JournalEntry& entry, std::string_view what);

  const Environment& environment_;
  SizedThread writing_;
};

}  // namespace tidewaiter::run
