// Port: the run's directory on disk, `runs/RUN_ID/`. A run whose directory exists is not finished
// (docs/adr/0004).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "broker/run/audit_sink.h"
#include "broker/run/backend.h"

namespace tidewaiter::run {

struct JournalEntry {
  RunId run_id;
  BrokerId broker_id;
  std::string backend;
  Caller caller;
  std::string image;  // canonical
  std::string policy_name;
  std::string policy_hash;
  std::vector<Resource> resources;  // names before creation, ids as they become known
  // Whether the terminal audit record is known to be durable: set before the directory goes, so
  // that a crash in between does not write a second one.
  bool finished_recorded = false;
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

class RunJournal {
 public:
  virtual ~RunJournal() = default;

  // Creates the run's directory with its entry; durable (file and folders fsynced) when it returns.
  virtual Result<void> Open(const JournalEntry& entry) = 0;
  // Replaces the entry atomically and durably.
  virtual Result<void> Update(const JournalEntry& entry) = 0;
  // Removes the directory, durably, and confirms it.
  virtual Removal Close(const RunId& run_id) = 0;

  struct Found {
    std::vector<JournalEntry> entries;
    // Directories that are torn, foreign or unreadable: moved aside to `set-aside/`, with the
    // reason.
    std::vector<std::string> set_aside;
  };
  virtual Result<Found> Load() = 0;
};

}  // namespace tidewaiter::run
