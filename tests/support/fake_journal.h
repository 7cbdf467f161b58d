// Run directories in memory. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/run/run_journal.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class FakeJournal final : public run::RunJournal {
 public:
  explicit FakeJournal(FakeTrace& trace) : trace_(trace) {}

  void FailOpen() { fail_open_ = true; }
  void FailCloses(int times) {
    const std::lock_guard lock(mutex_);
    failing_closes_ = times;
  }
  void FailLoads(int times) {
    const std::lock_guard lock(mutex_);
    failing_loads_ = times;
  }
  void Leave(const run::JournalEntry& entry) {
    const std::lock_guard lock(mutex_);
    entries_[entry.run_id] = entry;
  }
  void SetAside(run::RunJournal::Found::SetAside what) { set_aside_.push_back(std::move(what)); }
  [[nodiscard]] std::vector<run::JournalEntry> Entries() const {
    std::vector<run::JournalEntry> entries;
    const std::lock_guard lock(mutex_);
    for (const auto& [run_id, entry] : entries_) entries.push_back(entry);
    return entries;
  }

  Result<void> Open(const run::JournalEntry& entry) override {
    if (fail_open_) return Fail(ErrorCode::kUnavailable, "create the run's directory: full");
    Leave(entry);
    trace_.Add("journal:open");
    return Ok();
  }
  Result<void> Update(const run::JournalEntry& entry) override {
    Leave(entry);
    trace_.Add("journal:update");
    return Ok();
  }
  run::Removal Close(const RunId& run_id, Deadline /*deadline*/) override {
    run::Removal removal{
        .kind = "run-directory", .id = run_id.value(), .confirmed_absent = true, .error = ""};
    const std::lock_guard lock(mutex_);
    if (failing_closes_ > 0) {
      --failing_closes_;
      removal.confirmed_absent = false;
      removal.error = "busy";
      return removal;
    }
    if (entries_.erase(run_id) > 0) trace_.Add("journal:close");
    return removal;
  }
  Result<Found> Load() override {
    {
      const std::lock_guard lock(mutex_);
      if (failing_loads_ > 0) {
        --failing_loads_;
        return Fail(ErrorCode::kUnavailable, "read the run directories: input/output error");
      }
    }
    return Found{.entries = Entries(), .set_aside = set_aside_};
  }

 private:
  FakeTrace& trace_;
  bool fail_open_ = false;
  std::vector<Found::SetAside> set_aside_;
  mutable std::mutex mutex_;
  int failing_closes_ = 0;
  int failing_loads_ = 0;
  std::map<RunId, run::JournalEntry> entries_;
};

}  // namespace tidewaiter::testing
