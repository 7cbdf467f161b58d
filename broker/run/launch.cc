#include "broker/run/launch.h"

#include <algorithm>
#include <ctime>
#include <fstream>

namespace tidewaiter::run {
namespace {

using std::chrono::milliseconds;

const std::string& BootId() {
  static const std::string id = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
  }();
  return id;
}

milliseconds SinceBoot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<milliseconds>(std::chrono::seconds(now.tv_sec) +
                                                  std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

Launch Launch::Now() {
  // As precise as the journal keeps it.
  const auto at = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  return {.at = at, .boot_id = BootId(), .since_boot = SinceBoot()};
}

milliseconds Launch::Elapsed(const Launch& now) const {
  const bool same_boot = !boot_id.empty() && boot_id == now.boot_id;
  const milliseconds elapsed = same_boot ? now.since_boot - since_boot
                                         : std::chrono::duration_cast<milliseconds>(now.at - at);
  return std::max(elapsed, milliseconds::zero());
}

}  // namespace tidewaiter::run
