// One unfinished run as others see it: who it is, how far it is, and the one stop cause that won.
// Written by the run's thread, read and stopped from any other. Knows nothing of how a run goes.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "base/guarded.h"
#include "base/strong_id.h"
#include "broker/run/audit_sink.h"
#include "broker/run/run_registry.h"
#include "broker/run/stop_cause.h"

namespace tidewaiter::run {

class ActiveRun : public RunHandle {
 public:
  // `detached`: it goes on without its client, and without this broker.
  ActiveRun(RunId run_id, Caller caller, AuditSink& audit, bool detached);

  [[nodiscard]] const RunId& run_id() const noexcept { return run_id_; }
  [[nodiscard]] const Caller& caller() const noexcept { return caller_; }
  [[nodiscard]] bool detached() const noexcept { return detached_; }

  // The run's own stream asks.
  void RequestStop(StopCause cause) override;
  // Anyone asks. The record of a cancel that wins is queued before the run hears of it, so that the
  // log has it in front of the run's end; nobody waits until it is on disk. False: another cause
  // was first, or the run is past stopping.
  bool Stop(const StopCause& cause, const Caller& by);
  // The broker ends: a detached run is to be left to the next one, as soon as its container runs.
  void LeaveOnceStarted();
  [[nodiscard]] std::stop_source stop_source() const { return stop_; }
  [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }
  [[nodiscard]] std::optional<StopCause> stop_cause();

  // The run's thread only.
  void MarkAdmitted(const std::string& image, const policy::Tenant& tenant);
  // One of a former broker, instead of MarkAdmitted: it runs since `started_at`.
  void MarkAdopted(const std::string& image, const policy::Tenant& tenant,
                   std::chrono::system_clock::time_point started_at);
  void EnterState(RunState state);
  void SetContainer(const std::string& container_id);
  void MarkStarted();
  // Its container runs on, for the next broker.
  void MarkLeft() { left_ = true; }
  [[nodiscard]] bool left() const { return left_; }
  // Before the terminal record: a later cancel has no effect and must not be recorded after it.
  void RefuseStops();

  // Nothing before the admission: nobody but the run's own caller knows of it until then.
  [[nodiscard]] std::optional<RunInfo> Info();
  [[nodiscard]] RunInfo Snapshot();
  [[nodiscard]] RunState state();

 private:
  struct Stopping {
    std::optional<StopCause> cause;
    Caller by;
    bool admitted = false;
    bool refused = false;
    bool leaves = false;  // once it is started
  };
  void RecordCancel(const Caller& by);

  const RunId run_id_;
  const Caller caller_;
  AuditSink& audit_;
  const bool detached_;
  std::stop_source stop_;
  std::atomic<bool> left_{false};
  // Held across AppendEventually, which never waits: so the log has the cancel before the end.
  Guarded<Stopping> stopping_;
  Guarded<RunInfo> info_;
};

}  // namespace tidewaiter::run
