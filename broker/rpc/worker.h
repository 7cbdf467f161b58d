// A few threads for what blocks (the audit log, the engine), so that gRPC's own never do.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/guarded.h"

namespace tidewaiter::rpc {

class Worker {
 public:
  // At most `threads` tasks run and `max_waiting` wait.
  Worker(std::size_t threads, std::size_t max_waiting);
  // Runs what waits, then ends.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False where the bound is reached: the task was not taken.
  [[nodiscard]] bool Submit(std::function<void()> task);

 private:
  struct State {
    std::deque<std::function<void()>> tasks;
    std::size_t running = 0;
  };
  void Loop(const std::stop_token& stop);

  const std::size_t max_tasks_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::vector<std::jthread> threads_;
};

}  // namespace tidewaiter::rpc
