// One thread, one epoll: every socket of the broker's engines and registries lives here. Callbacks
// run on that thread, must not block and must not throw. Everything else may be called from any
// thread. Whatever uses a loop is gone before the loop is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/deadline.h"
#include "base/result.h"

namespace tidewaiter::io {

class EventLoop {
 public:
  // Starts the thread. Errors: no more descriptors or threads.
  static Result<std::unique_ptr<EventLoop>> Start();
  virtual ~EventLoop() = default;  // stops the thread; what was posted and not yet run is dropped
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs `task` on the loop's thread, in order of posting.
  virtual void Post(std::function<void()> task) = 0;
  // Whether the caller is the loop's thread.
  [[nodiscard]] virtual bool OnLoopThread() const noexcept = 0;

  // The following on the loop's thread only.

  // Calls `ready(epoll events)` while any of `events` (EPOLLIN, EPOLLOUT, EPOLLRDHUP) holds, level-
  // triggered; with EPOLLET once each time one of them comes true.
  // One watch per fd. With no events nothing is reported, a hang-up neither: a paused connection
  // whose peer is gone must not keep the loop awake.
  virtual Result<void> Watch(int fd, std::uint32_t events,
                             std::function<void(std::uint32_t)> ready) = 0;
  virtual Result<void> Rearm(int fd, std::uint32_t events) = 0;
  // No callback comes after it returns. Before the fd is closed.
  virtual void Unwatch(int fd) = 0;

  using TimerId = std::uint64_t;
  // Never 0. Timers that are due at the same time run in the order of their making.
  virtual TimerId CallAt(Deadline when, std::function<void()> task) = 0;
  virtual void CancelTimer(TimerId timer) = 0;

  // 64 KiB to read into, valid until the callback that asked returns: thousands of idle
  // connections share it instead of holding a buffer each.
  virtual std::span<std::byte> Scratch() = 0;

  // Counts iterations: a watchdog sees by it that the loop is alive. Any thread.
  [[nodiscard]] virtual std::uint64_t Beats() const noexcept = 0;

 protected:
  EventLoop() = default;
};

}  // namespace tidewaiter::io
