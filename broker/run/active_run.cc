#include "broker/run/active_run.h"

#include <utility>

namespace tidewaiter::run {

ActiveRun::ActiveRun(RunId run_id, Caller caller, AuditSink& audit, bool detached)
    : run_id_(std::move(run_id)), caller_(std::move(caller)), audit_(audit), detached_(detached) {
  auto info = info_.Lock();
  info->run_id = run_id_;
  info->principal = caller_.principal;
}

void ActiveRun::RequestStop(StopCause cause) {
  Stop(cause, caller_);
}

bool ActiveRun::Stop(const StopCause& cause, const Caller& by) {
  {
    auto stopping = stopping_.Lock();
    if (stopping->cause || stopping->refused) return false;
    stopping->cause = cause;
    stopping->by = by;
    if (stopping->admitted && cause.kind == StopCause::Kind::kCancelled) RecordCancel(by);
  }
  stop_.request_stop();
  return true;
}

std::optional<StopCause> ActiveRun::stop_cause() {
  return stopping_.Lock()->cause;
}

void ActiveRun::MarkAdmitted(const std::string& image, const policy::Tenant& tenant) {
  {
    auto info = info_.Lock();
    info->image = image;
    info->tenant = tenant;
    info->admitted_at = std::chrono::system_clock::now();
  }
  auto stopping = stopping_.Lock();
  stopping->admitted = true;
  // Cancelled while the decision was being written: its record follows the admission's.
  if (stopping->cause && stopping->cause->kind == StopCause::Kind::kCancelled) {
    RecordCancel(stopping->by);
  }
}

void ActiveRun::MarkAdopted(const std::string& image, const policy::Tenant& tenant,
                            std::chrono::system_clock::time_point started_at) {
  {
    auto info = info_.Lock();
    info->image = image;
    info->tenant = tenant;
    info->admitted_at = started_at;
    info->started_at = started_at;
    info->state = RunState::kRunning;
  }
  stopping_.Lock()->admitted = true;
}

void ActiveRun::EnterState(RunState state) {
  info_.Lock()->state = state;
}

void ActiveRun::SetContainer(const std::string& container_id) {
  info_.Lock()->container_id = container_id;
}

void ActiveRun::MarkStarted() {
  {
    auto info = info_.Lock();
    info->state = RunState::kRunning;
    info->started_at = std::chrono::system_clock::now();
  }
  if (stopping_.Lock()->leaves) Stop({.kind = StopCause::Kind::kShutdown, .by = {}}, caller_);
}

void ActiveRun::LeaveOnceStarted() {
  stopping_.Lock()->leaves = true;
  if (state() == RunState::kRunning) {
    Stop({.kind = StopCause::Kind::kShutdown, .by = {}}, caller_);
  }
}

void ActiveRun::RefuseStops() {
  stopping_.Lock()->refused = true;
}

std::optional<RunInfo> ActiveRun::Info() {
  if (!stopping_.Lock()->admitted) return std::nullopt;
  return Snapshot();
}

RunInfo ActiveRun::Snapshot() {
  return *info_.Lock();
}

RunState ActiveRun::state() {
  return info_.Lock()->state;
}

void ActiveRun::RecordCancel(const Caller& by) {
  AuditEvent event;
  event.type = AuditEvent::Type::kRunCancelled;
  event.run_id = run_id_;
  event.caller = by;
  audit_.AppendEventually(event);
}

}  // namespace tidewaiter::run
