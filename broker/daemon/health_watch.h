// Knows whether the I/O loop turns and whether the engine answers, so that a probe need not ask:
// gives the loop something to do every second, and asks the engine now and then. One thread of its
// own, which may be held up for as long as the engine is given; what it knows may be read by any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/deadline.h"
#include "base/guarded.h"
#include "broker/io/event_loop.h"

namespace tidewaiter::daemon {

class HealthWatch {
 public:
  struct Settings {
    std::chrono::milliseconds loop_interval{std::chrono::seconds(1)};
    // A loop that has not come to what it was given for so long hangs.
    std::chrono::milliseconds loop_patience{std::chrono::seconds(5)};
    std::chrono::milliseconds engine_interval{std::chrono::seconds(10)};
  };
  // `ask` says whether the engine answers; it may block for a few seconds. The loop must outlive
  // this.
  HealthWatch(io::EventLoop& loop, const Settings& settings, std::function<bool()> ask);
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;
  // A question that is under way is waited for.
  ~HealthWatch() = default;

  [[nodiscard]] bool LoopTurns();
  // False until it has answered for the first time.
  [[nodiscard]] bool EngineAnswers();

 private:
  struct Known {
    std::optional<Deadline> turn_due;  // set while the loop has not come to what it was given
    bool engine_answers = false;
  };
  void Watch(const std::stop_token& stop);
  void TurnTheLoop();

  io::EventLoop& loop_;
  const Settings settings_;
  const std::function<bool()> ask_;
  const std::shared_ptr<Guarded<Known>> known_;  // the loop may come to it after this has ended
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tidewaiter::daemon
