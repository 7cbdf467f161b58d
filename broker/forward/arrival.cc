#include "broker/forward/arrival.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace tidewaiter::forward {

Result<void> AwaitArrival(io::BlockingSocket& socket, Deadline deadline) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLongestPause(50);
  milliseconds pause(1);
  for (;;) {
    int kept = 0;
    if (::ioctl(socket.fd(), SIOCOUTQ, &kept) != 0) {
      return Fail(ErrorCode::kUnavailable, ErrnoError(errno, "ask what has arrived").message);
    }
    if (kept == 0) return Ok();
    // Nothing tells when it has; meanwhile a hang-up is of interest, and a stop.
    const Deadline next = deadline.Sooner(Deadline::After(pause));
    const Result<void> waited = socket.Await(0, next);
    if (waited) return Fail(ErrorCode::kUnavailable, "the other side has closed the connection");
    if (waited.error().code != ErrorCode::kDeadlineExceeded) return waited.error();
    if (deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded, "the other side takes nothing");
    }
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace tidewaiter::forward
