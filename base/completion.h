// Completion<T>: one value that one thread waits for and any thread may provide; the first writer
// wins. The only thing on which a run's thread ever blocks (docs/adr/0001).
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/deadline.h"

namespace tidewaiter {

template <typename T>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // True where this call provided the value; later calls change nothing.
  bool Set(T value) {
    {
      const std::lock_guard lock(mutex_);
      if (value_) return false;
      value_.emplace(std::move(value));
    }
    ready_.notify_all();
    return true;
  }

  // A copy of the value, or nothing where the token was stopped or the deadline passed first. A
  // value that is already there is returned even when the token is stopped: an outcome beats a
  // wish.
  std::optional<T> Wait(const std::stop_token& stop, Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto has_value = [this] { return value_.has_value(); };
    if (deadline.never()) {
      ready_.wait(lock, stop, has_value);
    } else {
      ready_.wait_until(lock, stop, deadline.when(), has_value);
    }
    return value_;
  }

  [[nodiscard]] std::optional<T> Peek() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any ready_;
  std::optional<T> value_;
};

}  // namespace tidewaiter
