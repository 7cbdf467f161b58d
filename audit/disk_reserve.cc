#include "audit/disk_reserve.h"

#include <sys/types.h>

#include <cerrno>

namespace tidewaiter::audit {
namespace {

// Less is not worth a call.
constexpr std::uint64_t kSmallest = std::uint64_t{4} << 10U;

}  // namespace

// Some file systems (ext4, XFS) keep what a call that fails has allocated so far, others (tmpfs,
// btrfs) give it back: hence the halves.
Result<void> DiskReserve::Keep(int fd, std::uint64_t end, std::uint64_t bytes) {
  const std::uint64_t ample = bytes + bytes / 4;
  const std::uint64_t wanted = short_ ? ample : bytes;
  const auto enough = [&] { return !supported_ || allocated_to_ >= end + wanted; };
  if (bytes == 0 || enough()) return Ok();
  int error = 0;
  std::uint64_t length = ample;
  do {
    if (operations_->Fallocate(fd, static_cast<off_t>(end), static_cast<off_t>(length)) == 0) {
      allocated_to_ = end + length;
      break;
    }
    error = errno;
    if (error == EINTR) continue;
    if (error == EOPNOTSUPP || error == ENOSYS) supported_ = false;
    if (error != ENOSPC && error != EDQUOT) break;
    length = length > bytes ? bytes : length / 2;
  } while (length >= kSmallest && end + length > allocated_to_);
  short_ = !enough();
  if (!short_) return Ok();
  return ErrnoError(error, "reserve disk space");
}

}  // namespace tidewaiter::audit
