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

void ServiceManager::Ready(std::string_view status) {
  ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
}

void ServiceManager::Reloading() {
  ::sd_notify(0, "RELOADING=1");
}

void ServiceManager::Stopping(std::string_view status) {
  ::sd_notify(0, fmt::format("STOPPING=1\nSTATUS={}", status).c_str());
}

void ServiceManager::StillStopping(std::chrono::microseconds patience) {
  ::sd_notify(0, fmt::format("WATCHDOG=1\nEXTEND_TIMEOUT_USEC={}", patience.count()).c_str());
}

void ServiceManager::FeedWatchdog() {
  ::sd_notify(0, "WATCHDOG=1");
}

}  // namespace tidewaiter::daemon
