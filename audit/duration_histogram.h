// Durations, of which quantiles are asked, in constant memory: exact below 128 ms, above in steps
// of less than 1.6 percent. Plain data, one thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidewaiter::audit {

class DurationHistogram {
 public:
  // Negative ones count as 0.
  void Add(std::chrono::milliseconds duration);
  // The duration that `percent` of 100 do not exceed (nearest rank), rounded down to its step.
  // 0 where there is none.
  [[nodiscard]] std::chrono::milliseconds Quantile(unsigned percent) const;
  [[nodiscard]] std::chrono::milliseconds longest() const noexcept { return longest_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  // 64 steps for each power of two.
  static constexpr std::size_t kStepBits = 6;
  static constexpr std::size_t kSteps = (std::size_t{64} - kStepBits) << kStepBits;

  std::array<std::uint64_t, kSteps> steps_{};
  std::uint64_t count_ = 0;
  std::chrono::milliseconds longest_{0};
};

}  // namespace tidewaiter::audit
