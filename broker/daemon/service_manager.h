// What systemd is told (sd_notify(3)); without systemd every function does nothing. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace tidewaiter::daemon {

class ServiceManager {
 public:
  ServiceManager();

  void Ready(std::string_view status);
  // Reads its files anew; Ready follows.
  void Reloading();
  void Stopping(std::string_view status);
  // The stop goes on, and at least one more word comes within `patience`: a sign of life that also
  // puts off TimeoutStopSec.
  void StillStopping(std::chrono::microseconds patience);
  // One sign of life.
  void FeedWatchdog();

  // How often to feed; nothing where systemd does not watch.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const noexcept {
    return watchdog_interval_;
  }

 private:
  std::optional<std::chrono::microseconds> watchdog_interval_;
};

}  // namespace tidewaiter::daemon
