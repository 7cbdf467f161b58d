// Port: the run's directory on disk, `runs/RUN_ID/`. A run whose directory exists is not finished
// (docs/adr/0004). It is opened before the admission is recorded, so an entry may be of a run that
// the log does not know: AuditSink::Recall says.
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
  std::string requested_image;  // as in the records; empty in entries of older brokers
  std::string image;            // canonical
  ResolvedImage resolved;       // empty until it is known
  std::string policy_name;
  std::string policy_hash;
  std::string log_mark;             // AuditSink::Mark() when the entry was made
  std::vector<Resource> resources;  // names before creation, ids as they become known
  // Set where a removal is overdue although the terminal audit record is durable: the next process
  // need not ask the log.
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
  // Removes the directory with the run's files, and confirms it. What is not done by the deadline
  // stays, with the entry, for another call.
  virtual Removal Close(const RunId& run_id, Deadline deadline) = 0;

  struct Found {
    std::vector<JournalEntry> entries;
    // Directories that are torn, foreign or unreadable: moved aside to `set-aside/`.
    struct SetAside {
      RunId run_id;      // empty where the directory's name is none
      std::string what;  // a line: from where to where, and why
      bool moved = true;
    };
    std::vector<SetAside> set_aside;
  };
  virtual Result<Found> Load() = 0;
};

}  // namespace tidewaiter::run
