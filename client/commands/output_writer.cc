#include "client/commands/output_writer.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tidewaiter::cli {

OutputWriter::OutputWriter(int fd, int abort_fd) : fd_(fd), abort_fd_(abort_fd) {
  struct stat status {};
  may_block_ = ::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

Result<void> OutputWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t count = bytes.size();
    if (may_block_) {
      std::array<pollfd, 2> waits = {{{fd_, POLLOUT, 0}, {abort_fd_, POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return ErrnoError(errno, "write output");
      }
      if (waits[1].revents != 0) return Fail(ErrorCode::kCancelled, "write output: given up");
      if (waits[0].revents == 0) continue;
      // What poll(2) promises for a pipe is room for PIPE_BUF bytes (pipe(7)); the descriptor is
      // not made non-blocking, since it is shared with whoever started us.
      count = std::min<std::size_t>(count, PIPE_BUF);
    }
    const ssize_t put = ::write(fd_, bytes.data(), count);
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EPIPE) {
      return Fail(ErrorCode::kUnavailable, "write output: nobody reads it", "READER_GONE");
    } else if (errno != EINTR && errno != EAGAIN) {
      return ErrnoError(errno, "write output");
    }
  }
  return Ok();
}

}  // namespace tidewaiter::cli
