// The timers of one event loop, ordered by when they are due. Not thread-safe: the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadline.h"

namespace tidewaiter::io {

class TimerQueue {
 public:
  using Id = std::uint64_t;
  using Task = std::function<void()>;

  // Ids rise and are never 0.
  Id Add(Deadline when, Task task);
  // Harmless where the timer has run or never was.
  void Cancel(Id timer);

  // When the first timer is due; nothing where none ever will be.
  [[nodiscard]] std::optional<Deadline::Clock::time_point> Next() const;
  // At most `limit` timers that are due at `now`, the first due first.
  [[nodiscard]] std::vector<Id> Due(Deadline::Clock::time_point now, std::size_t limit) const;
  // Removes the timer and hands out its task; empty where it has been cancelled meanwhile.
  Task Take(Id timer);

 private:
  using Key = std::pair<Deadline::Clock::time_point, Id>;
  std::map<Key, Task> tasks_;
  std::unordered_map<Id, Deadline::Clock::time_point> due_;
  Id last_ = 0;
};

}  // namespace tidewaiter::io
