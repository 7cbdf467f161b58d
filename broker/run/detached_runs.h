// The detached runs of this broker, unfinished and kept, by id and by idempotency key. Has what is
// kept removed once its retention is over (ExpiredRuns), on a thread of its own. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/run/detached_run.h"
#include "broker/run/environment.h"
#include "broker/run/expired_runs.h"
#include "broker/run/run_registry.h"

namespace tidewaiter::run {

class DetachedRuns {
 public:
  // Each has a folder, and the journal reads every folder when it starts. Those that are being
  // removed count, too.
  static constexpr std::size_t kMaxRuns = 50'000;

  // `environment` must outlive it.
  explicit DetachedRuns(const Environment& environment);
  ~DetachedRuns() = default;
  DetachedRuns(const DetachedRuns&) = delete;
  DetachedRuns& operator=(const DetachedRuns&) = delete;

  // The run that this principal has begun under this key; or a new one with that id, of which
  // `is_new` says so. RESOURCE_EXHAUSTED (NO_CAPACITY) where the principal has
  // max_detached_per_principal of them, or all have kMaxRuns.
  struct Begun {
    std::shared_ptr<DetachedRun> run;
    bool is_new = false;
  };
  Result<Begun> Begin(const RunId& run_id, const Caller& caller, const std::string& idempotency_key,
                      std::shared_ptr<RunObserver> starter);
  // Nothing came of it: its key may be used again.
  void Forget(const RunId& run_id);

  // What former processes have kept, and have left unfinished. Errors: the journal's.
  Result<void> RecoverKept();
  // After that.
  void RecoverUnfinished(const std::vector<RunJournal::Found::Unfinished>& unfinished);
  // The run is kept.
  void Kept(const KeptRun& kept);

  // Null where there is none.
  std::shared_ptr<DetachedRun> Get(const RunId& run_id);
  // NOT_FOUND (RUN_NOT_FOUND) also where it is not the viewer's to see.
  Result<std::shared_ptr<DetachedRun>> Find(const RunId& run_id, const Viewer& viewer);

  // As RunRegistry says.
  [[nodiscard]] std::vector<KeptInfo> ListKept();
  [[nodiscard]] std::uint32_t CountOverdue() { return expired_.CountOverdue(); }

 private:
  using Key = std::pair<std::string, std::string>;  // principal, idempotency key
  struct State {
    std::map<RunId, std::shared_ptr<DetachedRun>> runs;
    std::map<Key, std::shared_ptr<DetachedRun>> keys;
    std::map<std::string, std::size_t> counts;                   // by principal
    std::multimap<Deadline::Clock::time_point, RunId> expiries;  // of what is kept
  };
  void Loop(const std::stop_token& stop);
  void TakeExpired();
  void Add(State& state, const RunId& run_id, std::shared_ptr<DetachedRun> run);
  [[nodiscard]] Deadline::Clock::time_point ExpiresAt(const KeptRun& kept) const;
  void AddKept(State& state, const KeptRun& kept);
  static void FreeKey(State& state, const DetachedRun& run);
  static void Drop(State& state, const RunId& run_id);

  const Environment& environment_;
  Guarded<State> state_;
  ExpiredRuns expired_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses what stands above
};

}  // namespace tidewaiter::run
