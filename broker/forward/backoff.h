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
  using Millis = std::chrono::milliseconds;

  Backoff(Millis first, Millis last) : first_(first), last_(last) {}

  Millis Next() {
    next_ = next_ == Millis::zero() ? first_ : std::min(2 * next_, last_);
    const std::int64_t most = std::max<std::int64_t>(next_.count(), 1);
    return Millis(std::uniform_int_distribution<std::int64_t>((most + 1) / 2, most)(random_));
  }
  void Reset() noexcept { next_ = Millis::zero(); }

 private:
  const Millis first_;
  const Millis last_;
  Millis next_{0};
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace tidewaiter::forward
