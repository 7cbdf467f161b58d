// A point on the steady clock by which something must have happened. Inside the broker every wait
// takes one; wall-clock time appears only in audit records and logs.
#pragma once

#include <algorithm>
#include <chrono>

namespace tidewaiter {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  // Saturates, so that a duration near the type's maximum is "never" and not the past.
  static Deadline After(Clock::duration wait) noexcept {
    const Clock::time_point now = Clock::now();
    if (wait > Clock::time_point::max() - now) return Never();
    return Deadline(now + std::max(wait, Clock::duration::zero()));
  }
  static Deadline At(Clock::time_point when) noexcept { return Deadline(when); }
  static Deadline Never() noexcept { return Deadline(Clock::time_point::max()); }

  [[nodiscard]] Clock::time_point when() const noexcept { return when_; }
  [[nodiscard]] bool never() const noexcept { return when_ == Clock::time_point::max(); }
  [[nodiscard]] bool Passed() const noexcept { return Clock::now() >= when_; }

  // Time left, never negative.
  [[nodiscard]] Clock::duration Left() const noexcept {
    if (never()) return Clock::duration::max();
    return std::max(when_ - Clock::now(), Clock::duration::zero());
  }

  // The earlier of the two: how a step's own budget is bounded by its caller's.
  [[nodiscard]] Deadline Sooner(Deadline other) const noexcept {
    return Deadline(std::min(when_, other.when_));
  }

  friend bool operator==(Deadline, Deadline) = default;

 private:
  explicit Deadline(Clock::time_point when) noexcept : when_(when) {}
  Clock::time_point when_;
};

}  // namespace tidewaiter
