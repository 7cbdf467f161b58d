// Run directories in memory. Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "broker/run/kept_run.h"
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
  // Of the results that are written down.
  void FailConcludes(int times) {
    const std::lock_guard lock(mutex_);
    failing_concludes_ = times;
  }
  void FailUpdates(int times) {
    const std::lock_guard lock(mutex_);
    failing_updates_ = times;
  }
  // From now on no update is answered before the release: the disk hangs.
  void HangUpdates() { hang_updates_ = true; }
  void ReleaseUpdates() { released_.Set(true); }
  // Of what is kept, once it is marked.
  void FailRemovals(int times) {
    const std::lock_guard lock(mutex_);
    failing_removals_ = times;
  }
  // Of what is left of it then.
  void FailForgets(int times) {
    const std::lock_guard lock(mutex_);
    failing_forgets_ = times;
  }
  void FailLoads(int times) {
    const std::lock_guard lock(mutex_);
    failing_loads_ = times;
  }
  void FailKeptLoads(int times) {
    const std::lock_guard lock(mutex_);
    failing_kept_loads_ = times;
  }
  // How often it was asked for unfinished runs: what cannot be believed is moved away then.
  [[nodiscard]] int loads() const {
    const std::lock_guard lock(mutex_);
    return loads_;
  }
  void Leave(const run::JournalEntry& entry) {
    const std::lock_guard lock(mutex_);
    entries_[entry.run_id] = entry;
  }
  void SetAside(run::RunJournal::Found::SetAside what) { set_aside_.push_back(std::move(what)); }
  // Found among the kept ones.
  void SetAsideKept(run::RunJournal::Found::SetAside what) {
    kept_set_aside_.push_back(std::move(what));
  }
  // As a former process has kept it.
  void LeaveKept(const run::KeptRun& run) {
    const std::lock_guard lock(mutex_);
    kept_.insert_or_assign(run.entry.run_id, run);
  }
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
    if (hang_updates_) {
      trace_.Add("journal:hang");
      released_.Wait({}, Deadline::Never());
    }
    if (Fails(failing_updates_)) return Fail(ErrorCode::kUnavailable, "write the entry: full");
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
  Result<void> Conclude(const run::KeptRun& run) override {
    if (Fails(failing_concludes_)) return Fail(ErrorCode::kUnavailable, "write the result: full");
    const std::lock_guard lock(mutex_);
    trace_.Add("journal:conclude");
    results_.insert_or_assign(run.entry.run_id, run);
    return Ok();
  }
  // As a former process has left it.
  void LeaveResult(const run::KeptRun& run) {
    Leave(run.entry);
    const std::lock_guard lock(mutex_);
    results_.insert_or_assign(run.entry.run_id, run);
  }
  Result<run::KeptRun> Keep(const run::KeptRun& run, Deadline /*deadline*/) override {
    const std::lock_guard lock(mutex_);
    if (failing_closes_ > 0) {
      --failing_closes_;
      return Fail(ErrorCode::kUnavailable, "keep run directory: busy");
    }
    if (entries_.erase(run.entry.run_id) > 0) trace_.Add("journal:keep");
    results_.erase(run.entry.run_id);
    return kept_.emplace(run.entry.run_id, run).first->second;
  }
  Result<FoundKept> LoadKept() override {
    if (Fails(failing_kept_loads_)) {
      return Fail(ErrorCode::kUnavailable, "read the kept runs: input/output error");
    }
    FoundKept found{.runs = {}, .expired = {}, .set_aside = kept_set_aside_};
    const std::lock_guard lock(mutex_);
    for (const auto& [run_id, run] : kept_) found.runs.push_back(run);
    for (const auto& [run_id, run] : marked_) {
      found.expired.push_back({.entry = run.entry, .bytes = run.log_bytes + run.archive_bytes});
    }
    return found;
  }
  run::Removal RemoveKept(const RunId& run_id, Deadline /*deadline*/) override {
    {
      const std::lock_guard lock(mutex_);
      if (auto kept = kept_.extract(run_id)) marked_.insert(std::move(kept));
    }
    if (Fails(failing_removals_)) return Failed(run_id, "remove");
    const std::lock_guard lock(mutex_);
    const auto marked = marked_.find(run_id);
    if (marked != marked_.end()) {
      marked->second.log_bytes = marked->second.archive_bytes = 0;
      trace_.Add("journal:remove kept");
    }
    return {.kind = "run-directory", .id = run_id.value(), .confirmed_absent = true, .error = {}};
  }
  run::Removal ForgetKept(const RunId& run_id, Deadline /*deadline*/) override {
    if (Fails(failing_forgets_)) return Failed(run_id, "forget");
    const std::lock_guard lock(mutex_);
    if (marked_.erase(run_id) > 0) trace_.Add("journal:forget kept");
    return {.kind = "run-directory", .id = run_id.value(), .confirmed_absent = true, .error = {}};
  }
  // As a former process has left it, amid its removal.
  void LeaveMarked(const run::KeptRun& run) {
    const std::lock_guard lock(mutex_);
    marked_.insert_or_assign(run.entry.run_id, run);
  }
  // Of kept runs that are marked, and not forgotten.
  [[nodiscard]] std::size_t Marked() const {
    const std::lock_guard lock(mutex_);
    return marked_.size();
  }
  [[nodiscard]] std::vector<run::KeptRun> Kept() const {
    std::vector<run::KeptRun> runs;
    const std::lock_guard lock(mutex_);
    for (const auto& [run_id, run] : kept_) runs.push_back(run);
    return runs;
  }
  Result<Found> Load() override {
    {
      const std::lock_guard lock(mutex_);
      ++loads_;
      if (failing_loads_ > 0) {
        --failing_loads_;
        return Fail(ErrorCode::kUnavailable, "read the run directories: input/output error");
      }
    }
    Found found{.runs = {}, .set_aside = set_aside_};
    const std::lock_guard lock(mutex_);
    for (const auto& [run_id, entry] : entries_) {
      found.runs.push_back({.entry = entry, .result = {}});
      const auto result = results_.find(run_id);
      if (result != results_.end()) found.runs.back().result = result->second;
    }
    return found;
  }

 private:
  // One failure fewer to come.
  bool Fails(int& failures) {
    const std::lock_guard lock(mutex_);
    if (failures == 0) return false;
    --failures;
    return true;
  }

  run::Removal Failed(const RunId& run_id, const std::string& verb) {
    trace_.Add("journal:fail to " + verb + " kept");
    return {
        .kind = "run-directory", .id = run_id.value(), .confirmed_absent = false, .error = "busy"};
  }

  FakeTrace& trace_;
  bool fail_open_ = false;
  std::atomic<bool> hang_updates_ = false;
  Completion<bool> released_;
  std::vector<Found::SetAside> set_aside_;
  std::vector<Found::SetAside> kept_set_aside_;
  mutable std::mutex mutex_;
  int failing_closes_ = 0;
  int failing_loads_ = 0;
  int failing_kept_loads_ = 0;
  int loads_ = 0;
  int failing_concludes_ = 0;
  int failing_updates_ = 0;
  int failing_removals_ = 0;
  int failing_forgets_ = 0;
  std::map<RunId, run::JournalEntry> entries_;
  std::map<RunId, run::KeptRun> results_;  // of entries
  std::map<RunId, run::KeptRun> kept_;
  std::map<RunId, run::KeptRun> marked_;  // that RemoveKept has been asked for
};

}  // namespace tidewaiter::testing
