// The one way in which this folder waits between attempts.
#pragma once

#include <chrono>

#include "base/completion.h"
#include "broker/run/backend.h"

namespace tidewaiter::run {

// Waits for `length`, or less where the patience ends first. False: it has ended.
inline bool Pause(std::chrono::milliseconds length, const Patience& patience) {
  Completion<bool> never_set;
  static_cast<void>(
      never_set.Wait(patience.stop, patience.deadline.Sooner(Deadline::After(length))));
  return !patience.stop.stop_requested() && !patience.deadline.Passed();
}

}  // namespace tidewaiter::run
