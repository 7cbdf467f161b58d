#include "broker/daemon/watched_stop.h"

#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/deadline.h"

namespace tidewaiter::daemon {
namespace {

// Where systemd does not watch, it still has to be told that TimeoutStopSec is too short.
constexpr std::chrono::seconds kTick(5);

}  // namespace

std::optional<siginfo_t> WaitForSignal(const sigset_t& signals,
                                       std::optional<std::chrono::microseconds> time) {
  siginfo_t came{};
  if (!time) {
    while (::sigwaitinfo(&signals, &came) < 0) {  // EINTR alone
    }
    return came;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*time);
  const timespec wait{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::nanoseconds(*time - seconds).count()};
  if (::sigtimedwait(&signals, &came, &wait) < 0) return std::nullopt;
  return came;
}

void AwaitStop(const sigset_t& signals, ServiceManager& manager, const StopStep& step) {
  const std::chrono::microseconds tick = manager.watchdog_interval().value_or(kTick);
  const Deadline hangs = Deadline::After(step.longest);
  std::atomic<bool> done = false;
  const std::jthread worker([&] {
    step.work();
    done = true;
    ::kill(::getpid(), SIGTERM);  // wakes the wait below; the signal is blocked in every thread
  });
  manager.StillStopping(4 * tick);
  while (!done) {
    if (WaitForSignal(signals, tick)) {
      if (!done) step.on_signal();
    } else if (!hangs.Passed() && step.alive()) {
      manager.StillStopping(4 * tick);
    }
  }
}

}  // namespace tidewaiter::daemon
