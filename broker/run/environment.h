// What every run of a broker shares: its ports and its settings. The ports must outlive the
// registry.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/log.h"
#include "base/strong_id.h"
#include "broker/run/audit_sink.h"
#include "broker/run/backend.h"
#include "broker/run/outcome.h"
#include "broker/run/policies_in_force.h"
#include "broker/run/run_files.h"
#include "broker/run/run_journal.h"
#include "policy/host_paths.h"

namespace tidewaiter::run {

struct RunSettings {
  std::uint32_t max_runs = 256;    // runs that hold a slot at a time
  std::uint32_t max_queued = 256;  // runs that wait for one
  // Of one principal: waiting, running, or with a removal that is overdue. Less than max_runs, so
  // that one alone never holds every slot.
  std::uint32_t max_runs_per_principal = 128;
  std::chrono::milliseconds queue_timeout{std::chrono::minutes(1)};
  std::chrono::milliseconds audit_deadline{std::chrono::seconds(5)};  // for one durable record
  std::chrono::milliseconds prepare_timeout{
      std::chrono::minutes(10)};  // resolve (with its pull), create, start
  std::chrono::milliseconds stop_grace{std::chrono::seconds(5)};  // SIGTERM to SIGKILL
  std::chrono::milliseconds teardown_timeout{
      std::chrono::seconds(30)};  // before the reaper takes over
  // How long a client may take no output at all after the container has ended, before the rest is
  // dropped.
  std::chrono::milliseconds output_stall{std::chrono::seconds(30)};
  // For all inputs of a run, and for all its outputs.
  std::chrono::milliseconds input_timeout{std::chrono::minutes(10)};
  std::chrono::milliseconds output_timeout{std::chrono::minutes(10)};
  // How long a client may send nothing of an input that is waited for.
  std::chrono::milliseconds input_stall{std::chrono::seconds(30)};
  // How long the log, the outputs and the result of a detached run are kept after its end.
  std::chrono::milliseconds retention{std::chrono::hours(1)};
  // Of one principal: unfinished and kept.
  std::uint32_t max_detached_per_principal = 10'000;
  // How often the engine's labelled resources are compared with the runs that are known.
  std::chrono::milliseconds reap_interval{std::chrono::seconds(60)};
  // Pauses between two attempts at an overdue removal: doubled from the first to the second,
  // jittered.
  std::chrono::milliseconds reap_retry_min{std::chrono::seconds(1)};
  std::chrono::milliseconds reap_retry_max{std::chrono::seconds(60)};
};

struct Environment {
  BrokerId broker_id;
  RunSettings settings;
  std::map<std::string, Backend*> backends;  // by name
  std::string default_backend;
  AuditSink* audit = nullptr;
  RunJournal* journal = nullptr;
  RunFiles* files = nullptr;
  // Taken anew for each decision: a stream that was opened before a reload is decided by what came
  // after.
  PoliciesInForce* policies = nullptr;
  const policy::HostPaths* host_paths = nullptr;
  Log* log = nullptr;  // may stay null: nothing is logged then
  // Told of each detached run that is kept from now on. Set by the registry.
  std::function<void(const KeptRun&)> on_kept;
  // Of each detached run that the reaper has tried to finish: nobody is to wait until it has.
  std::function<void(const RunId&, const Outcome&, const Receipt&)> on_attempted;
  // Of each detached run of a former process that was not admitted after all. As on_kept.
  std::function<void(const RunId&)> on_forgotten;
};

}  // namespace tidewaiter::run
