// Which runs may run now: `max_runs` slots, given in the order in which runs came. Thread-safe; a
// waiting run has a wait of its own, so that a free slot wakes one thread and not all.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/completion.h"
#include "base/deadline.h"
#include "base/guarded.h"

namespace tidewaiter::run {

class Slots {
 public:
  explicit Slots(std::uint32_t count) : state_(State{.free = count, .waiting = {}}) {}

  // A run's place: a slot, or a turn in the queue. Giving it up, by its destruction, passes the
  // slot on. Must not outlive its Slots.
  class Place {
    struct Key {};

   public:
    Place(Key, Slots& slots) : slots_(slots) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    // How many waited before this one when it came; nothing where it had its slot at once.
    [[nodiscard]] std::optional<std::uint32_t> ahead() const noexcept { return ahead_; }
    // True once it has its slot. False where the token or the deadline came first: the place in
    // the queue is given up then.
    bool Wait(const std::stop_token& stop, Deadline deadline);

   private:
    friend class Slots;
    Slots& slots_;
    std::optional<std::uint32_t> ahead_;
    Completion<bool> granted_;
  };

  [[nodiscard]] std::unique_ptr<Place> Enter();

 private:
  struct State {
    std::uint32_t free = 0;
    std::deque<Place*> waiting;
  };
  // Whether it was still waiting.
  static bool LeaveQueue(State& state, const Place* place);

  Guarded<State> state_;
};

}  // namespace tidewaiter::run
