#include "broker/run/slots.h"

#include <algorithm>

namespace tidewaiter::run {

std::unique_ptr<Slots::Place> Slots::Enter() {
  std::unique_ptr<Place> place(std::make_unique<Place>(Place::Key{}, *this));
  auto state = state_.Lock();
  if (state->free > 0) {
    --state->free;
    place->granted_.Set(true);
  } else {
    place->ahead_ = static_cast<std::uint32_t>(state->waiting.size());
    state->waiting.push_back(place.get());
  }
  return place;
}

bool Slots::Place::Wait(const std::stop_token& stop, Deadline deadline) {
  if (granted_.Wait(stop, deadline)) return true;
  // A slot that came in the same moment is not in the queue any more, and is kept.
  auto state = slots_.state_.Lock();
  return !LeaveQueue(*state, this) && granted_.Peek().has_value();
}

Slots::Place::~Place() {
  auto state = slots_.state_.Lock();
  if (LeaveQueue(*state, this) || !granted_.Peek()) return;
  if (state->waiting.empty()) {
    ++state->free;
    return;
  }
  Place* next = state->waiting.front();
  state->waiting.pop_front();
  next->granted_.Set(true);  // under the lock: `next` cannot leave in between
}

bool Slots::LeaveQueue(State& state, const Place* place) {
  const auto found = std::find(state.waiting.begin(), state.waiting.end(), place);
  if (found == state.waiting.end()) return false;
  state.waiting.erase(found);
  return true;
}

}  // namespace tidewaiter::run
