// What stays of a detached run once it has finished, until its retention is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/run/journal_entry.h"
#include "broker/run/outcome.h"
#include "broker/run/run_files.h"

namespace tidewaiter::run {

// One mount `output`.
struct KeptOutput {
  std::string name;
  OutputSummary summary;  // of the archive that is kept
  std::string error;      // why there is none; empty where there is
  friend bool operator==(const KeptOutput&, const KeptOutput&) = default;
};

struct KeptRun {
  JournalEntry entry;  // with its Detachment
  std::string container_id;
  Outcome outcome;
  Receipt receipt;
  // Of the output: how much is missing and why (v1.Truncated); empty where none is.
  std::int64_t dropped_bytes = 0;
  std::string truncated;
  std::vector<KeptOutput> outputs;
  std::chrono::system_clock::time_point ended_at;
  // What its files hold, in its folder: not written, but looked up.
  std::uint64_t log_bytes = 0;
  std::uint64_t archive_bytes = 0;
};

}  // namespace tidewaiter::run
