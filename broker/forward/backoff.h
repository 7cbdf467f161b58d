// Pauses between attempts that fail: doubled from the first to the last, half to all of each, so
// that many who wait for one thing do not come back at once. One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace tidewaiter::forward {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds last)
      : first_(first), last_(last) {}

  std::chrono::milliseconds Next() {
    next_ = next_ == next_.zero() ? first_ : std::min(2 * next_, last_);
    const std::int64_t most = std::max<std::int64_t>(next_.count(), 1);
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>((most + 1) / 2, most)(random_));
  }
  void Reset() noexcept { next_ = next_.zero(); }

 private:
  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds last_;
  std::chrono::milliseconds next_{0};
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace tidewaiter::forward
