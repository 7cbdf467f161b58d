// When a container was started, by clocks that another process can read: how much of a run's
// timeout is over, whoever asks. Pure but for the clocks.
#pragma once

#include <chrono>
#include <string>

namespace tidewaiter::run {

struct Launch {
  std::chrono::system_clock::time_point at;
  std::string boot_id;                     // of that boot (random(4)); empty where it was not known
  std::chrono::milliseconds since_boot{};  // CLOCK_BOOTTIME (clock_gettime(2)): counts suspension

  static Launch Now();
  // Never negative. By the boot's clock, which nobody can set, where it is still the same boot;
  // else by the wall's.
  [[nodiscard]] std::chrono::milliseconds Elapsed(const Launch& now) const;
  friend bool operator==(const Launch&, const Launch&) = default;
};

}  // namespace tidewaiter::run
