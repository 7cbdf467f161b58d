#include "audit/stall_watch.h"

#include <utility>

#include "base/deadline.h"

namespace tidewaiter::audit {

StallWatch::StallWatch(std::chrono::milliseconds patience, std::function<void()> tell)
    : patience_(patience),
      tell_(std::move(tell)),
      thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

void StallWatch::Begin() {
  bool parked = false;
  {
    auto state = state_.Lock();
    state->since = Clock::now();
    parked = std::exchange(state->parked, false);
  }
  // A thread that looks at other work comes to this by itself: no wake-up for each piece.
  if (parked) begun_.notify_all();
}

void StallWatch::End() {
  state_.Lock()->since.reset();
}

std::optional<StallWatch::Clock::duration> StallWatch::StalledFor() {
  auto state = state_.Lock();
  if (!state->since) return std::nullopt;
  const Clock::duration taken = Clock::now() - *state->since;
  return taken < patience_ ? std::nullopt : std::optional<Clock::duration>(taken);
}

void StallWatch::Watch(const std::stop_token& stop) {
  std::optional<Clock::time_point> told;  // of which work
  while (!stop.stop_requested()) {
    const auto stalled = AwaitStall(stop, told);
    if (!stalled) continue;
    told = stalled;
    tell_();
  }
}

// When the work began that has taken too long; nothing where it has ended, or was told of.
std::optional<StallWatch::Clock::time_point> StallWatch::AwaitStall(
    const std::stop_token& stop, std::optional<Clock::time_point> told) {
  auto state = state_.Lock();
  if (!state->since || state->since == told) {
    state->parked = true;
    state.Wait(begun_, stop, Deadline::Never(), [&] { return !state->parked; });
    return std::nullopt;
  }
  const auto since = state->since;
  state.Wait(begun_, stop, Deadline::At(*since + patience_), [] { return false; });
  return stop.stop_requested() || state->since != since ? std::nullopt : since;
}

}  // namespace tidewaiter::audit
