// SizedThread: what std::jthread is, with a stack of a chosen size. A broker holds thousands of
// waiting threads, and the usual 8 MiB each is address space that limits count (docs/adr/0001).
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>

#include "base/result.h"

namespace tidewaiter {

class SizedThread {
 public:
  using Body = std::function<void(const std::stop_token&)>;

  // Runs `body` with the token of `stop`, which the caller may share with others.
  // RESOURCE_EXHAUSTED where the system gives no thread. `body` must not throw.
  static Result<SizedThread> Start(std::size_t stack_bytes, std::stop_source stop, Body body);

  SizedThread() noexcept : stop_(std::nostopstate) {}
  SizedThread(SizedThread&& other) noexcept;
  SizedThread& operator=(SizedThread&& other) noexcept;
  // Asks to stop and joins. Must not run on the thread itself.
  ~SizedThread();

 private:
  SizedThread(pthread_t thread, std::stop_source stop) : thread_(thread), stop_(std::move(stop)) {}
  void StopAndJoin() noexcept;

  std::optional<pthread_t> thread_;
  std::stop_source stop_;
};

}  // namespace tidewaiter
