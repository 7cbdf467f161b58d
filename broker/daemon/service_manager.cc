#include "broker/daemon/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdint>

namespace tidewaiter::daemon {

ServiceManager::ServiceManager() {
  std::uint64_t micros = 0;
  // Fed four times in the time after which systemd would kill: a tick that finds the loop busy may
  // be missed.
  if (::sd_watchdog_enabled(0, &micros) > 0 && micros > 0) {
    watchdog_interval_ = std::chrono::microseconds(micros / 4);
  }
}

void ServiceManager::Ready() {
  ::sd_notify(0, "READY=1\nSTATUS=serving");
}

void ServiceManager::Reloading() {
  const std::lock_guard lock(mutex_);
  ++reloads_;
  if (!stopping_) ::sd_notify(0, "RELOADING=1");
}

void ServiceManager::Reloaded(std::string_view status) {
  const std::lock_guard lock(mutex_);
  if (--reloads_ > 0 || stopping_) return;
  ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
}

void ServiceManager::Stopping(std::string_view status) {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  ::sd_notify(0, fmt::format("STOPPING=1\nSTATUS={}", status).c_str());
}

void ServiceManager::StillStopping(std::chrono::microseconds patience) {
  ::sd_notify(0, fmt::format("WATCHDOG=1\nEXTEND_TIMEOUT_USEC={}", patience.count()).c_str());
}

void ServiceManager::FeedWatchdog() {
  ::sd_notify(0, "WATCHDOG=1");
}

}  // namespace tidewaiter::daemon
