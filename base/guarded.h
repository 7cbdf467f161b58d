// Guarded<T>: data that cannot be touched without its lock.
//   Guarded<State> state;
//   { auto s = state.Lock(); s->count++; s.Wait(changed, stop, deadline, [&] { return s->count > 3;
//   }); }
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

#include "base/deadline.h"

namespace tidewaiter {

template <typename T>
class Guarded {
 public:
  template <typename... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  class Locked {
   public:
    T* operator->() noexcept { return &owner_.value_; }
    T& operator*() noexcept { return owner_.value_; }

    // Waits until `ready()` (called under the lock). False where the token or the deadline came
    // first.
    template <typename Ready>
    bool Wait(std::condition_variable_any& changed, const std::stop_token& stop, Deadline deadline,
              Ready ready) {
      if (deadline.never()) return changed.wait(lock_, stop, std::move(ready));
      return changed.wait_until(lock_, stop, deadline.when(), std::move(ready));
    }

   private:
    friend class Guarded;
    explicit Locked(Guarded& owner) : owner_(owner), lock_(owner.mutex_) {}
    Guarded& owner_;
    std::unique_lock<std::mutex> lock_;
  };

  [[nodiscard]] Locked Lock() { return Locked(*this); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace tidewaiter
