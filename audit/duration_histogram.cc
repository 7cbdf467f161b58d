#include "audit/duration_histogram.h"

#include <algorithm>
#include <bit>

namespace tidewaiter::audit {
namespace {

constexpr unsigned kBits = 6;

// Values below 128 are their own step; of a larger one its 7 highest bits count.
constexpr std::size_t StepOf(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > kBits + 1 ? width - (kBits + 1) : 0;
  return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
}

constexpr std::uint64_t LeastOf(std::size_t step) {
  const std::size_t shift = step < (std::size_t{2} << kBits) ? 0 : (step >> kBits) - 1;
  return static_cast<std::uint64_t>(step - (shift << kBits)) << shift;
}

static_assert(LeastOf(StepOf(127)) == 127 && LeastOf(StepOf(128)) == 128);
static_assert(LeastOf(StepOf(1'000'000)) <= 1'000'000 && LeastOf(StepOf(1'000'000)) > 984'000);

}  // namespace

void DurationHistogram::Add(std::chrono::milliseconds duration) {
  const auto value = std::max(duration, std::chrono::milliseconds(0));
  ++steps_.at(StepOf(static_cast<std::uint64_t>(value.count())));
  ++count_;
  longest_ = std::max(longest_, value);
}

std::chrono::milliseconds DurationHistogram::Quantile(unsigned percent) const {
  // Rank 1 at least. count_ is far below 2^57.
  const std::uint64_t rank = std::max<std::uint64_t>((count_ * percent + 99) / 100, 1);
  std::uint64_t seen = 0;
  for (std::size_t step = 0; step < steps_.size(); ++step) {
    seen += steps_.at(step);
    if (seen >= rank) return std::chrono::milliseconds(LeastOf(step));
  }
  return std::chrono::milliseconds(0);
}

}  // namespace tidewaiter::audit
