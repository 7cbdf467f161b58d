// SIGINT, SIGTERM and SIGHUP as calls on an ordinary thread: nothing runs in a signal handler.
// Must be created before any other thread, since threads inherit the blocked signals; one at a
// time.
#pragma once

#include <functional>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::cli {

class SignalWatch {
 public:
  // `on_signal(number)` is called on the watch's own thread, once per signal, and must not block:
  // the next signal may be the one that is meant to end the wait.
  static Result<SignalWatch> Start(std::function<void(int)> on_signal);
  SignalWatch(SignalWatch&&) noexcept = default;
  SignalWatch& operator=(SignalWatch&&) = delete;
  // Joins the thread. The signals stay blocked.
  ~SignalWatch();

 private:
  SignalWatch() = default;

  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace tidewaiter::cli
