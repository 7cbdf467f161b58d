// What the journal holds of a run that is not finished: enough to remove all of it by exact name.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/strong_id.h"
#include "broker/run/audit_sink.h"
#include "broker/run/backend.h"
#include "broker/run/launch.h"
#include "policy/run_spec.h"

namespace tidewaiter::run {

// Of a run that outlives its caller's stream.
struct Detachment {
  std::string idempotency_key;  // empty: none
  // What of the admitted run another process needs to go on with it.
  std::vector<std::string> outputs;  // names of its mounts `output`, in order
  std::int64_t output_bytes = 0;     // of all of them together
  std::int64_t log_bytes = 0;
  std::chrono::milliseconds timeout{};
  policy::Tenant tenant;
  // Set before the engine is asked to start the container: a run without it has not run.
  std::optional<Launch> launch;
  // The principal that has called it off; empty: nobody.
  std::string cancelled_by;
  friend bool operator==(const Detachment&, const Detachment&) = default;
};

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
  std::optional<Detachment> detachment;
  // When another broker than the run's own first found it unfinished: what its own had asked the
  // engine for may still come for a while from then on.
  std::optional<Launch> left_at;
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

}  // namespace tidewaiter::run
