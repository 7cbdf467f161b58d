#include "broker/io/timer_queue.h"

namespace tidewaiter::io {

TimerQueue::Id TimerQueue::Add(Deadline when, Task task) {
  const Id timer = ++last_;
  tasks_.emplace(Key{when.when(), timer}, std::move(task));
  due_.emplace(timer, when.when());
  return timer;
}

void TimerQueue::Cancel(Id timer) {
  // The task is destroyed at the end, after the maps are whole again: its captures may come back.
  const Task task = Take(timer);
}

std::optional<Deadline::Clock::time_point> TimerQueue::Next() const {
  if (tasks_.empty() || Deadline::At(tasks_.begin()->first.first).never()) return std::nullopt;
  return tasks_.begin()->first.first;
}

std::vector<TimerQueue::Id> TimerQueue::Due(Deadline::Clock::time_point now,
                                            std::size_t limit) const {
  std::vector<Id> due;
  for (const auto& [key, task] : tasks_) {
    if (key.first > now || due.size() == limit) break;
    due.push_back(key.second);
  }
  return due;
}

TimerQueue::Task TimerQueue::Take(Id timer) {
  const auto when = due_.find(timer);
  if (when == due_.end()) return nullptr;
  const auto entry = tasks_.find(Key{when->second, timer});
  Task task = std::move(entry->second);
  tasks_.erase(entry);
  due_.erase(when);
  return task;
}

}  // namespace tidewaiter::io
