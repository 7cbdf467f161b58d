// A connected socket for straight-line code: every call blocks the calling thread until it is done,
// the deadline has passed or the token is stopped. Never on the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/deadline.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::io {

class BlockingSocket {
 public:
  // Errors: UNAVAILABLE, CONNECT_FAILED (nobody listens), DEADLINE_EXCEEDED, CANCELLED,
  // INVALID_ARGUMENT (no path of a socket), RESOURCE_EXHAUSTED.
  static Result<BlockingSocket> Connect(const std::string& path, const std::stop_token& stop,
                                        Deadline deadline);

  // Takes over a socket of any kind that does not block, connected or about to be.
  static Result<BlockingSocket> Adopt(UniqueFd fd, const std::stop_token& stop);

  // Until one of `events` (poll(2)), or an error or hang-up, is there. Errors: DEADLINE_EXCEEDED,
  // CANCELLED.
  Result<void> Await(short events, Deadline deadline) {
    return WaitFor(fd_.get(), events, deadline);
  }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // Errors of both: UNAVAILABLE (connection broken), DEADLINE_EXCEEDED, CANCELLED.
  Result<void> Send(std::string_view data, Deadline deadline);
  // Appends what comes next, at most `limit` bytes; 0 at the end.
  Result<std::size_t> Receive(std::string& buffer, std::size_t limit, Deadline deadline);

  // Gives the descriptor away; it does not block.
  [[nodiscard]] UniqueFd Release() { return std::move(fd_); }

 private:
  // Readable once the token is stopped.
  class StopSignal {
   public:
    StopSignal(UniqueFd event, const std::stop_token& stop);
    [[nodiscard]] int fd() const noexcept { return event_.get(); }

   private:
    UniqueFd event_;
    std::stop_callback<std::function<void()>> callback_;  // goes before what it writes to
  };

  BlockingSocket(UniqueFd fd, std::stop_token stop) : fd_(std::move(fd)), stop_(std::move(stop)) {}
  Result<void> PrepareToStop();
  Result<void> ConnectTo(const std::string& path, Deadline deadline);
  // Waits for `events` of `fd`; where `fd` is -1, for the deadline or the token alone.
  Result<void> WaitFor(int fd, short events, Deadline deadline);

  UniqueFd fd_;
  std::stop_token stop_;
  std::unique_ptr<StopSignal> stopped_;  // none where nothing can stop it
};

}  // namespace tidewaiter::io
