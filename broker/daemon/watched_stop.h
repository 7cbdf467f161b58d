// A stop takes as long as its runs take to end: systemd must neither take that for a hang nor miss
// one.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>

#include "broker/daemon/service_manager.h"

namespace tidewaiter::daemon {

// The one of `signals` (blocked in every thread) that came, and of whom; nothing where the time is
// over. Without a time it waits for ever.
std::optional<siginfo_t> WaitForSignal(const sigset_t& signals,
                                       std::optional<std::chrono::microseconds> time);

struct StopStep {
  std::function<void()> work;            // on a thread of its own
  std::function<bool()> alive;           // whether what the work needs still moves
  std::function<void()> on_signal;       // a further stop signal
  std::chrono::milliseconds longest{0};  // what takes longer hangs
};

// Returns when the work is done. Meanwhile, tells systemd at each tick that the stop goes on; no
// more once `alive` says no or `longest` has passed: then systemd's own patience decides.
void AwaitStop(const sigset_t& signals, ServiceManager& manager, const StopStep& step);

}  // namespace tidewaiter::daemon
