// Port: the run's directory on disk, `runs/RUN_ID/`. A run whose directory exists is not finished
// (docs/adr/0004). It is opened before the admission is recorded, so an entry may be of a run that
// the log does not know: AuditSink::Recall says. A detached run's directory moves to `kept/RUN_ID/`
// when the run has finished.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/run/journal_entry.h"
#include "broker/run/kept_run.h"

namespace tidewaiter::run {

class RunJournal {
 public:
  virtual ~RunJournal() = default;

  // Creates the run's directory with its entry; durable (file and folders fsynced) when it returns.
  virtual Result<void> Open(const JournalEntry& entry) = 0;
  // Replaces the entry atomically and durably.
  virtual Result<void> Update(const JournalEntry& entry) = 0;
  // Removes the directory with the run's files, and confirms it. What is not done by the deadline
  // stays, with the entry, for another call.
  virtual Removal Close(const RunId& run_id, Deadline deadline) = 0;

  // Of a detached run: writes how it has ended beside its entry, durably. Before its terminal
  // record, so that whoever finds it finished finds this, too.
  virtual Result<void> Conclude(const KeptRun& run) = 0;
  // In place of Close, where the run is detached: its inputs go, and the folders of its outputs;
  // log, archives and result stay, in `kept/`. Durable when it returns. One that is kept already
  // stays as it is: it is what is returned.
  virtual Result<KeptRun> Keep(const KeptRun& run, Deadline deadline) = 0;
  // Its retention is over. First a durable mark: from then on LoadKept offers it to nobody. Then
  // its log, archives and result go, and it is confirmed that they are gone. What is left, its
  // entry and the mark, says that this is to be recorded. As Close.
  virtual Removal RemoveKept(const RunId& run_id, Deadline deadline) = 0;
  // Once that is recorded: what is left of its directory. As Close.
  virtual Removal ForgetKept(const RunId& run_id, Deadline deadline) = 0;

  struct Found {
    struct Unfinished {
      JournalEntry entry;
      std::optional<KeptRun> result;  // what Conclude wrote
    };
    std::vector<Unfinished> runs;
    // Directories that are torn, foreign or unreadable: moved aside to `set-aside/`.
    struct SetAside {
      RunId run_id;      // empty where the directory's name is none
      std::string what;  // a line: from where to where, and why
      bool moved = true;
    };
    std::vector<SetAside> set_aside;
  };
  virtual Result<Found> Load() = 0;

  // Every run that is kept. What cannot be believed is set aside, as by Load.
  struct FoundKept {
    std::vector<KeptRun> runs;
    // Marked by RemoveKept: to be removed, and perhaps not recorded yet.
    struct Expired {
      JournalEntry entry;
      std::uint64_t bytes = 0;  // that its log and archives hold at most
    };
    std::vector<Expired> expired;
    std::vector<Found::SetAside> set_aside;
  };
  virtual Result<FoundKept> LoadKept() = 0;
};

}  // namespace tidewaiter::run
