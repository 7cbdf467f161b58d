// Owns what a run or a former process could not finish: overdue removals, terminal records that the
// log has not taken yet, leftovers of a crash. Tries for ever, with growing pauses, on one thread
// of its own, which has others help it where there are many. So that one thing that hangs holds up
// the others for one attempt at most: in each round what needs no engine comes first, then one
// removal of each backend, then the rest side by side; a backend that does not answer is asked no
// more, and the log is asked last. What was passed over comes first in the next round. It touches
// only what a journal entry names exactly, or what carries this broker's own id and no run knows.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "broker/run/environment.h"
#include "broker/run/overdue.h"
#include "broker/run/run_registry.h"
#include "broker/run/strays.h"

namespace tidewaiter::run {

class Reaper {
 public:
  // What it asks, on its thread.
  struct Questions {
    std::function<bool(const RunId&)> is_active;  // whether a run is still under its own thread
    std::function<bool()> any_begun;              // whether any has been in this process
  };
  Reaper(const Environment& environment, Questions questions);
  // Ends after the step that is under way. What is left stays in the journal.
  ~Reaper() = default;
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  void Adopt(Overdue overdue);
  // Adopts every entry of this broker in the journal whose run is not active. From then on the
  // engines are compared with the runs periodically.
  void RecoverLeftovers(RunJournal::Found found);

  // Every overdue run; those of a former process have no admitted_at.
  [[nodiscard]] std::vector<RunInfo> List();
  [[nodiscard]] std::uint32_t Count();
  // What no run knows, and would not go at the last comparison.
  [[nodiscard]] std::uint32_t CountStrays() const { return strays_.Left(); }
  [[nodiscard]] bool CannotCompare() const { return strays_.Failing(); }
  [[nodiscard]] std::size_t CountOf(const std::string& principal);

 private:
  using Clock = Deadline::Clock;
  struct Item {
    Overdue overdue;
    // Under the lock:
    Clock::time_point next_attempt;
    std::chrono::milliseconds pause;
  };
  using Items = std::vector<std::shared_ptr<Item>>;
  struct State {
    std::map<RunId, std::shared_ptr<Item>> items;
    Clock::time_point next_comparison = Clock::time_point::max();
  };

  void Loop(const std::stop_token& stop);
  void Adopt(std::vector<Overdue> all);
  void TakeSetAside(const RunJournal::Found::SetAside& found, std::vector<Overdue>& leftovers);
  struct Round;
  void Attempt(const Items& due, const std::stop_token& stop);
  void Try(const std::shared_ptr<Item>& item, Round& round);
  void AskLog(const Items& unclear);
  void Finish(Item& item);
  void PassOver(Item& item);
  void BackOff(Item& item);
  [[nodiscard]] Items TakeDue();
  [[nodiscard]] bool ComparisonDue();
  [[nodiscard]] Clock::time_point NextWork(const State& state) const;
  [[nodiscard]] std::chrono::milliseconds Jittered(std::chrono::milliseconds pause);
  [[nodiscard]] bool IsKnown(const RunId& run_id);
  [[nodiscard]] bool Owns(const RunId& run_id);
  void Write(LogLevel level, const std::string& message) const;

  const Environment& environment_;
  const std::function<bool(const RunId&)> is_active_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  Strays strays_;
  std::minstd_rand random_;  // the reaper's thread only
  std::jthread thread_;      // last: it uses what stands above
};

}  // namespace tidewaiter::run
