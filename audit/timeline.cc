#include "audit/timeline.h"

#include <algorithm>

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kMaxSteps = 10'000;  // by the hour more than a year
constexpr std::int64_t kDay = 24;

std::int64_t FloorDivide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

// The width of a bar in hours: of some that people read easily, the first of which is `hours` or
// more, else as many times a year as it takes.
std::int64_t WidthFor(std::int64_t hours) {
  for (const std::int64_t width :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{6}, std::int64_t{12}, kDay,
        2 * kDay, 7 * kDay, 14 * kDay, 28 * kDay, 91 * kDay, 364 * kDay}) {
    if (width >= hours) return width;
  }
  return (hours / (364 * kDay) + 1) * 364 * kDay;
}

}  // namespace

std::map<std::int64_t, Timeline::Counts> Timeline::Merge(
    const std::map<std::int64_t, Counts>& steps, std::int64_t by) {
  std::map<std::int64_t, Counts> merged;
  for (const auto& [step, counts] : steps) {
    Counts& into = merged[FloorDivide(step, by)];
    into.admitted += counts.admitted;
    into.denied += counts.denied;
  }
  return merged;
}

void Timeline::Add(Timestamp when, Decision decision) {
  const std::int64_t hour = std::chrono::floor<std::chrono::hours>(when).time_since_epoch().count();
  Counts& counts = steps_[FloorDivide(hour, hours_)];
  ++(decision == Decision::kAdmitted ? counts.admitted : counts.denied);
  while (steps_.size() > kMaxSteps) {
    steps_ = Merge(steps_, kDay);
    hours_ *= kDay;
  }
}

Timeline::Bars Timeline::Draw(std::size_t most) const {
  Bars out{.width = std::chrono::hours(hours_), .bars = {}};
  if (steps_.empty() || most == 0) return out;
  const std::int64_t first = steps_.begin()->first * hours_;
  const std::int64_t last = (steps_.rbegin()->first + 1) * hours_;
  const auto room = static_cast<std::int64_t>(most);
  // One more than divides the span: the bars do not begin where the records do.
  std::int64_t width = WidthFor(std::max((last - first) / room, hours_));
  while (FloorDivide(last - 1, width) - FloorDivide(first, width) >= room) {
    width = WidthFor(width + 1);
  }
  out.width = std::chrono::hours(width);
  for (std::int64_t bar = FloorDivide(first, width); bar <= FloorDivide(last - 1, width); ++bar) {
    out.bars.push_back(
        {.begin = std::chrono::sys_time<std::chrono::hours>(std::chrono::hours(bar * width))});
  }
  for (const auto& [step, counts] : steps_) {
    const std::int64_t bar = FloorDivide(step * hours_, width) - FloorDivide(first, width);
    Bar& into = out.bars.at(static_cast<std::size_t>(bar));
    into.admitted += counts.admitted;
    into.denied += counts.denied;
  }
  return out;
}

}  // namespace tidewaiter::audit
