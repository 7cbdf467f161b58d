// Kept runs whose retention is over: known to nobody any more, but not gone yet. Tries to remove
// them for ever, across restarts, and records each once (kRunExpired).
//
// First the journal marks the run's directory, so that no later process offers it to anybody; then
// its files go; then that is recorded; and only when the record is on disk, the directory goes. A
// crash before the record is followed by a process that finds the mark, finishes the removal and
// records it; one after the record, by a process that asks the log, as for every run that it finds
// marked. So none lacks its record, and none has two in one log.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/deadline.h"
#include "base/guarded.h"
#include "broker/run/environment.h"
#include "broker/run/run_journal.h"
#include "broker/run/run_registry.h"

namespace tidewaiter::run {

class ExpiredRuns {
 public:
  // `environment` must outlive it.
  explicit ExpiredRuns(const Environment& environment)
      : environment_(environment), random_(std::random_device{}()) {}

  // Any thread. One of this process's own, or one that a former process has marked.
  void Take(const RunId& run_id) { Add(run_id, std::nullopt); }
  void Take(const RunJournal::FoundKept::Expired& found) {
    Add(found.entry.run_id, found.entry.log_mark);
  }

  // One attempt at each whose time has come. One thread.
  void Attempt(const std::stop_token& stop);

  // Any thread.
  [[nodiscard]] std::vector<KeptInfo> List();
  [[nodiscard]] std::size_t Count();
  // Those whose removal has failed, and that are still there.
  [[nodiscard]] std::uint32_t CountOverdue();
  // Whether a record is being waited for that is to be there soon.
  [[nodiscard]] bool AwaitsRecord() const { return awaits_record_; }

 private:
  using Recorded = Completion<bool>;
  struct Item {
    RunId run_id;
    // The thread's. Set: the log is to be asked first whether it knows the record.
    std::optional<std::string> log_mark;
    bool removed = false;  // all but its entry and the mark
    std::shared_ptr<Recorded> recorded;
    // The log's, from before the record was given to it.
    std::string record_mark{};
    bool asked_again = false;  // the log, whether it still has a record that does not come
    Deadline next_attempt = Deadline::After({});
    std::chrono::milliseconds pause{};
    // Under the lock: why the last attempt failed.
    std::string failure{};
  };
  using Items = std::vector<std::shared_ptr<Item>>;

  void Add(const RunId& run_id, std::optional<std::string> log_mark);
  void RemoveFiles(Item& item);
  void AskLog(const Items& unclear);
  void Record(Item& item) const;
  void AskAgain(const Items& silent);
  std::chrono::milliseconds Jittered(std::chrono::milliseconds pause);
  // Whether nothing of it is left.
  bool Forget(Item& item);
  void Fail(Item& item, const std::string& why);
  void Succeed(Item& item);
  std::string SetFailure(Item& item, std::string why);
  void Tell(LogLevel level, AuditEvent::Type type, const Item& item, const std::string& what) const;

  const Environment& environment_;
  Guarded<Items> state_;
  std::atomic<bool> awaits_record_ = false;
  // The thread's. Asking may read the whole log, so it is once for all that wait.
  Deadline ask_again_ = Deadline::Never();
  std::minstd_rand random_;
};

}  // namespace tidewaiter::run
