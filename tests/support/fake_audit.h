// An audit log in memory that can refuse, hang, and work again. Thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/run/audit_sink.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class FakeAudit final : public run::AuditSink {
 public:
  using Type = run::AuditEvent::Type;
  enum class Way {
    kWorks,
    kFails,        // refuses at once; what may wait, waits
    kHangs,        // until the deadline, the record is never written; or until Repair()
    kArrivesLate,  // until the deadline; the record is written all the same
  };

  explicit FakeAudit(FakeTrace& trace) : trace_(trace) {}

  void Set(Way way) {
    const std::lock_guard lock(mutex_);
    way_ = way;
  }

  // The next `count` records of that type that may wait, as where the queue is full.
  void Drop(Type type, int count) {
    const std::lock_guard lock(mutex_);
    drop_type_ = type;
    drops_ = count;
  }

  // Works again, and writes what has waited.
  void Repair() {
    std::vector<std::pair<run::AuditEvent, std::function<void()>>> waiting;
    {
      const std::lock_guard lock(mutex_);
      way_ = Way::kWorks;
      waiting.swap(waiting_);
      for (const auto& [event, on_durable] : waiting) WriteLocked(event);
    }
    repaired_.notify_all();
    for (const auto& [event, on_durable] : waiting) {
      if (on_durable) on_durable();
    }
  }

  Result<void> Append(const run::AuditEvent& event, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    switch (way_) {
      case Way::kWorks: WriteLocked(event); return Ok();
      case Way::kFails:
        return Fail(ErrorCode::kUnavailable, "write the audit log: no space left on device",
                    "AUDIT_UNAVAILABLE");
      case Way::kHangs:
      case Way::kArrivesLate:
        repaired_.wait_until(lock, deadline.when(), [this] { return way_ == Way::kWorks; });
        if (way_ == Way::kWorks) {
          WriteLocked(event);
          return Ok();
        }
        if (way_ == Way::kArrivesLate) WriteLocked(event);
        return Fail(ErrorCode::kDeadlineExceeded, "write the audit log: too slow",
                    "AUDIT_UNAVAILABLE");
    }
    return Ok();
  }

  using run::AuditSink::AppendEventually;
  void AppendEventually(const run::AuditEvent& event, std::function<void()> on_durable) override {
    {
      const std::lock_guard lock(mutex_);
      if (event.type == drop_type_ && drops_ > 0) {
        --drops_;
        trace_.Add("audit:drop " + Name(event.type));
        return;
      }
      if (way_ != Way::kWorks) {
        waiting_.emplace_back(event, std::move(on_durable));
        return;
      }
      WriteLocked(event);
    }
    if (on_durable) on_durable();
  }

  // As after somebody has moved the log's file away.
  void MoveAway() {
    const std::lock_guard lock(mutex_);
    events_.clear();
    mark_ += "'";
  }
  [[nodiscard]] std::string Mark() override {
    const std::lock_guard lock(mutex_);
    return mark_;
  }

  Result<std::map<RunId, Standing>> Recall(const std::map<RunId, std::string>& runs) override {
    const std::lock_guard lock(mutex_);
    ++recalls_;
    std::map<RunId, Standing> standings;
    for (const auto& [run_id, mark] : runs) standings[run_id].unsure = mark != mark_;
    const auto note = [&](const run::AuditEvent& event) {
      const auto found = standings.find(event.run_id);
      if (found == standings.end()) return;
      if (event.type == Type::kRunAdmitted) found->second.admitted = true;
      if (event.type == Type::kRunFinished) found->second.finished = true;
      if (event.type == Type::kRunExpired) found->second.expired = true;
      const Standing& known = found->second;
      if (known.admitted || known.finished || known.expired) found->second.unsure = false;
    };
    for (const run::AuditEvent& event : events_) note(event);
    for (const auto& [event, on_durable] : waiting_) note(event);
    return standings;
  }

  [[nodiscard]] std::vector<run::AuditEvent> Of(Type type) const {
    std::vector<run::AuditEvent> found;
    const std::lock_guard lock(mutex_);
    for (const run::AuditEvent& event : events_) {
      if (event.type == type) found.push_back(event);
    }
    return found;
  }
  [[nodiscard]] std::size_t Count(Type type) const { return Of(type).size(); }
  // How often Recall was asked.
  [[nodiscard]] int Recalls() const {
    const std::lock_guard lock(mutex_);
    return recalls_;
  }
  // Of those that are queued, and not written yet.
  [[nodiscard]] std::size_t CountWaiting(Type type) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(waiting_.begin(), waiting_.end(),
                      [type](const auto& waiting) { return waiting.first.type == type; }));
  }

 private:
  static std::string Name(Type type) {
    switch (type) {
      case Type::kRunDenied: return "denied";
      case Type::kRunAdmitted: return "admitted";
      case Type::kRunInput: return "input";
      case Type::kRunOutput: return "output";
      case Type::kRunStarted: return "started";
      case Type::kRunAdopted: return "adopted";
      case Type::kRunFinished: return "finished";
      case Type::kRunCancelled: return "cancelled";
      case Type::kTeardownOverdue: return "overdue";
      case Type::kTeardownSettled: return "settled";
      case Type::kRunExpired: return "expired";
      case Type::kJournalSetAside: return "set-aside";
      default: return "other";
    }
  }
  void WriteLocked(const run::AuditEvent& event) {
    events_.push_back(event);
    trace_.Add("audit:" + Name(event.type));
  }

  FakeTrace& trace_;
  mutable std::mutex mutex_;
  std::condition_variable repaired_;
  Way way_ = Way::kWorks;
  Type drop_type_ = Type::kRunExpired;
  int drops_ = 0;
  int recalls_ = 0;
  std::string mark_ = "mark";
  std::vector<run::AuditEvent> events_;
  std::vector<std::pair<run::AuditEvent, std::function<void()>>> waiting_;
};

}  // namespace tidewaiter::testing
