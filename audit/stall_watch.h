// Notices work that does not end: the disk may hang in any of the calls that a piece of it is made
// of, and whoever is in them cannot say so. Thread: any; Begin and End one after the other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/guarded.h"

namespace tidewaiter::audit {

class StallWatch {
 public:
  using Clock = std::chrono::steady_clock;
  // `tell` is called on the watch's thread once work has taken `patience`; it must not block.
  StallWatch(std::chrono::milliseconds patience, std::function<void()> tell);
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;
  ~StallWatch() = default;

  void Begin();
  void End();
  // How long the work has taken that has taken too long, where it has.
  [[nodiscard]] std::optional<Clock::duration> StalledFor();

 private:
  struct State {
    std::optional<Clock::time_point> since;  // set while there is work
    bool parked = false;                     // the thread sleeps until there is some
  };
  void Watch(const std::stop_token& stop);
  std::optional<Clock::time_point> AwaitStall(const std::stop_token& stop,
                                              std::optional<Clock::time_point> told);

  const std::chrono::milliseconds patience_;
  const std::function<void()> tell_;
  Guarded<State> state_;
  std::condition_variable_any begun_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidewaiter::audit
