// For what nobody tells of: asks again and again.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace tidewaiter::testing {

// False where it is not so within that time.
inline bool Eventually(std::chrono::milliseconds within, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Within a time that is long even on a busy machine.
inline bool Eventually(const std::function<bool()>& done) {
  return Eventually(std::chrono::seconds(20), done);
}

}  // namespace tidewaiter::testing
