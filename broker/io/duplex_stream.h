// A connection that HTTP has been asked to leave (the engine's "hijacked" attach, Docker API 1.41):
// after the answer's header raw bytes flow both ways. libcurl cannot half-close such a connection,
// which is how stdin ends, so the few lines of HTTP are ours; the header of the answer is bounded
// to 16 KiB.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/event_loop.h"

namespace tidewaiter::io {

class DuplexStream {
 public:
  struct Callbacks {
    // On the loop's thread. `on_data` returns false to pause reading until Resume().
    std::function<bool(std::span<const std::byte>)> on_data;
    // Once: the other side has finished (empty), or the connection broke.
    std::function<void(std::optional<Error>)> on_end;
    // There is room in the write queue again.
    std::function<void()> on_room;
    // The other side is gone, and more may be read than was: while the reading is paused. Perhaps
    // more than once. Optional.
    std::function<void()> on_hang_up{};
  };

  // Connects to `unix_socket`, sends `POST target HTTP/1.1` with `Connection: Upgrade`, and blocks
  // until the answer's header: 101 or 200 is success; otherwise the error carries the answer's body
  // (at most 4 KiB, safe to print). No callback comes before there is a stream to return, none at
  // all where it fails; but the first may come before the caller has stored what it got. Never on
  // the loop's thread.
  // Errors: UNAVAILABLE (reason CONNECT_FAILED where nothing was sent), DEADLINE_EXCEEDED,
  // CANCELLED, RESOURCE_EXHAUSTED (header too long, no descriptors), INVALID_ARGUMENT (a target or
  // path that cannot be sent), INTERNAL (not HTTP); for an answer other than 101 and 200, reason
  // UPGRADE_REFUSED: NOT_FOUND (404), ALREADY_EXISTS (409), INVALID_ARGUMENT (400),
  // FAILED_PRECONDITION (other 4xx), INTERNAL.
  static Result<std::unique_ptr<DuplexStream>> Open(EventLoop& loop, const std::string& unix_socket,
                                                    const std::string& target, Callbacks callbacks,
                                                    const std::stop_token& stop, Deadline deadline);

  // Closes; when it returns no callback is running (unless called from one) and none will come.
  // Waits for the loop's thread: not under a lock that a callback takes.
  virtual ~DuplexStream() = default;

  // Takes as many bytes as fit into the write queue (64 KiB) and returns how many; 0: wait for
  // on_room. After FinishWriting(), or once the other side reads no more, everything is taken and
  // dropped, as by a process that does not read its stdin. Any thread.
  virtual std::size_t Write(std::span<const std::byte> data) = 0;
  // Half-closes once the queue has been sent. Any thread.
  virtual void FinishWriting() = 0;
  // Reads on after on_data returned false. Any thread; spurious calls are harmless.
  virtual void Resume() = 0;

 protected:
  DuplexStream() = default;
};

}  // namespace tidewaiter::io
