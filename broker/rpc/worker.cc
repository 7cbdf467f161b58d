#include "broker/rpc/worker.h"

#include <utility>

namespace tidewaiter::rpc {

Worker::Worker(std::size_t threads, std::size_t max_waiting) : max_tasks_(threads + max_waiting) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { Loop(stop); });
  }
}

Worker::~Worker() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

bool Worker::Submit(std::function<void()> task) {
  {
    auto state = state_.Lock();
    if (state->running + state->tasks.size() >= max_tasks_) return false;
    state->tasks.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void Worker::Loop(const std::stop_token& stop) {
  while (true) {
    std::function<void()> task;
    {
      auto state = state_.Lock();
      if (!state.Wait(changed_, stop, Deadline::Never(), [&] { return !state->tasks.empty(); })) {
        return;
      }
      task = std::move(state->tasks.front());
      state->tasks.pop_front();
      ++state->running;
    }
    task();
    task = nullptr;
    --state_.Lock()->running;
  }
}

}  // namespace tidewaiter::rpc
