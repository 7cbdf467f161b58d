#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "broker/config/broker_config.h"

namespace tidewaiter::config {

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  const std::string what = fmt::format("read {}", Quoted(path));
  // O_NONBLOCK: a FIFO in the file's place must not hold the start up.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return ErrnoError(errno, what);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, what);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, what + ": no regular file");
  }
  std::string text(max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, what);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  // Half of a policy may be a policy, and a looser one.
  struct stat after {};
  if (::fstat(fd.get(), &after) != 0) return ErrnoError(errno, what);
  const auto same = [](const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
  };
  if (after.st_size != status.st_size || !same(after.st_mtim, status.st_mtim) ||
      (size <= max_bytes && static_cast<off_t>(size) != after.st_size)) {
    return Fail(ErrorCode::kUnavailable,
                what + ": it changed while it was read; write another file and move it here",
                "FILE_CHANGED");
  }
  if (size > max_bytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: more than {} bytes", what, max_bytes));
  }
  text.resize(size);
  text.shrink_to_fit();
  return text;
}

}  // namespace tidewaiter::config
