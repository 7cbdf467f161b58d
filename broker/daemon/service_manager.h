// What systemd is told (sd_notify(3)); without systemd every function does nothing. Thread: any.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>

namespace tidewaiter::daemon {

class ServiceManager {
 public:
  ServiceManager();

  void Ready();
  // Reads its files anew; Reloaded follows, once for each.
  void Reloading();
  void Reloaded(std::string_view status);
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
  std::mutex mutex_;
  // Guarded by mutex_.
  int reloads_ = 0;        // under way
  bool stopping_ = false;  // it never serves again, whatever ends now
};

}  // namespace tidewaiter::daemon
