#include "base/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace tidewaiter {
namespace {

constexpr int kTries = 8;

}  // namespace

// glibc has no wrapper.
UniqueFd OpenBeneath(int folder, const char* path, std::uint64_t flags, std::uint64_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  // The kernel refuses these together with O_PATH, which opens nothing that could block.
  if ((flags & O_PATH) == 0) how.flags |= O_NOCTTY | O_NONBLOCK;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd = 0;
  int left = kTries;
  do {
    fd = ::syscall(SYS_openat2, folder, path, &how, sizeof(how));
    // EAGAIN: a rename somewhere, while it looked for the way, which is soon over; or somebody's
    // lease on the file (fcntl(2), F_SETLEASE), whose end may take a minute.
  } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && --left > 0)));
  return UniqueFd(static_cast<int>(fd));
}

}  // namespace tidewaiter
