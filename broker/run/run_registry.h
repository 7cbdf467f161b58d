// Every unfinished run of this broker: takes them in within bounds, one thread each, and knows them
// by id. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "broker/run/run_request.h"
#include "broker/run/stop_cause.h"

namespace tidewaiter::run {

class DetachedRun;
struct Environment;  // broker/run/environment.h: the ports and settings that every run shares

enum class RunState { kQueued, kPreparing, kRunning, kTearingDown, kOverdue };

// A snapshot for List and Get.
struct RunInfo {
  RunId run_id;
  std::string principal;
  RunState state = RunState::kQueued;
  std::string image;
  std::chrono::system_clock::time_point admitted_at;
  std::optional<std::chrono::system_clock::time_point> started_at;
  policy::Tenant tenant;
  std::string container_id;
};

// Whose runs a call may see and cancel: its own, or everyone's.
struct Viewer {
  std::string principal;
  bool operate = false;
};

// A kept run whose directory is there, or was a moment ago.
struct KeptInfo {
  RunId run_id;
  bool expired = false;  // it is being removed
  std::string failure;   // why that has failed so far; empty where it has not
};

// What the stream of a run holds on to. Copyable; outliving the run is harmless.
class RunHandle {
 public:
  virtual ~RunHandle() = default;
  // Asks the run to stop; the first cause wins. Never blocks.
  virtual void RequestStop(StopCause cause) = 0;
};

class RunRegistry {
 public:
  explicit RunRegistry(Environment environment);
  ~RunRegistry();  // as Shutdown with no time to drain
  RunRegistry(const RunRegistry&) = delete;
  RunRegistry& operator=(const RunRegistry&) = delete;

  // `request.observer` must not be null.
  // Starts the run's thread, which decides, records, runs and tears down, telling
  // `request.observer`. RESOURCE_EXHAUSTED (NO_CAPACITY) where max_runs + max_queued are taken, or
  // as many are overdue; UNAVAILABLE (SHUTTING_DOWN).
  Result<std::shared_ptr<RunHandle>> Launch(RunRequest request);

  // A run that goes on when nobody watches it: `request.observer` is told what happens until the
  // container has started, then OnDone, and may be gone before; a client that is gone stops
  // nothing. Where the caller has begun a run under spec.idempotency_key before, that is the answer
  // and nothing is started: `handle` is null, and the observer is told nothing. Further errors:
  // those of Launch.
  struct Detached {
    std::shared_ptr<DetachedRun> run;
    std::shared_ptr<RunHandle> handle;
  };
  Result<Detached> LaunchDetached(RunRequest request);
  // A detached run, unfinished or kept. NOT_FOUND as Get.
  Result<std::shared_ptr<DetachedRun>> FindDetached(const RunId& run_id,
                                                    const Viewer& viewer) const;

  // In the order of admission.
  [[nodiscard]] std::vector<RunInfo> List(const Viewer& viewer) const;
  // NOT_FOUND (RUN_NOT_FOUND) also where it is not the viewer's to see.
  Result<RunInfo> Get(const RunId& run_id, const Viewer& viewer) const;
  // Queues the record of who cancelled (not waiting for the disk), then asks the run to stop. Begun
  // already: success.
  Result<void> Cancel(const RunId& run_id, const Viewer& viewer, const Caller& caller);

  struct Counts {
    std::uint32_t active = 0;
    std::uint32_t queued = 0;
    std::uint32_t overdue = 0;
    std::uint32_t strays = 0;        // on the engine, known to no run, and their removal failed
    std::uint32_t kept_overdue = 0;  // kept runs whose retention is over, and their removal failed
    bool comparison_fails = false;   // what an engine holds could not be listed when last tried
  };
  [[nodiscard]] Counts Count() const;
  // Every detached run that may have a directory in `kept/`, those that are unfinished included.
  [[nodiscard]] std::vector<KeptInfo> ListKept() const;

  // Goes on with what a former process of this broker left: detached runs whose containers were
  // started are adopted (Adoption); the others whose directory is still there are torn down by
  // exact name and recorded as LOST, or as what their result says. Reads the directories on the
  // caller's thread; the reaper's thread does the rest, and serving need not wait. Until it has
  // been called, strays on the engine are left alone. Before the first run: a directory that is
  // being made looks like one that a crash has left. Errors: the journal's; nothing must be
  // admitted then.
  Result<void> RecoverLeftovers();

  // Admits nothing more, leaves the detached runs whose containers run to the next broker, lets
  // what else runs end by itself until `drain`, stops the rest (kShutdown) and waits for their
  // teardown.
  struct Ended {
    std::size_t stopped = 0;
    std::size_t left = 0;
  };
  Ended Shutdown(Deadline drain);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidewaiter::run
