#include "client/commands/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::cli {

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  const std::string what = "read " + Quoted(path);
  UniqueFd opened;
  int fd = STDIN_FILENO;
  if (path != "-") {
    opened.Reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return ErrnoError(errno, what);
    fd = opened.get();
  }
  return ReadAll(fd, what, max_bytes);
}

Result<std::string> ReadAll(int fd, const std::string& what, std::size_t max_bytes) {
  std::string content;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return content;
    if (got < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, what);
    }
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: longer than {} bytes", what, max_bytes));
    }
  }
}

Result<void> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      // Whoever started us left the descriptor non-blocking.
      pollfd ready{fd, POLLOUT, 0};
      static_cast<void>(::poll(&ready, 1, -1));
    } else if (errno != EINTR) {
      return ErrnoError(errno, "write to output");
    }
  }
  return Ok();
}

Result<void> ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string what = "write " + Quoted(path);
  std::string name = path + ".XXXXXX";  // mkostemp makes it 0600
  const UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return ErrnoError(errno, what);
  auto written = WriteAll(file.get(), bytes);
  if (written && ::fsync(file.get()) != 0) written = ErrnoError(errno, "make it durable");
  if (written && ::rename(name.c_str(), path.c_str()) != 0) written = ErrnoError(errno, "name it");
  if (written) return Ok();
  ::unlink(name.c_str());
  return written.error().Within(what);
}

bool AwaitReadable(int fd, int stop_fd) {
  std::array<pollfd, 2> waits = {{{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  while (true) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return false;
    if (waits[1].revents != 0) return false;
    if (waits[0].revents != 0) return true;
  }
}

}  // namespace tidewaiter::cli
