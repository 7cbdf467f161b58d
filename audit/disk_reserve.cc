#include "audit/disk_reserve.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>

namespace tidewaiter::audit {
namespace {

// Less is not worth a call.
constexpr std::uint64_t kSmallest = std::uint64_t{4} << 10U;
// Is left to the disk: checkpoints are files of their own, and so are the state folder's.
constexpr std::uint64_t kMargin = std::uint64_t{1} << 20U;

// Whether so much more would take the margin, too; no where the file system does not say what it
// has.
bool Exhausts(int fd, std::uint64_t more) {
  struct statvfs status {};
  if (more == 0 || ::fstatvfs(fd, &status) != 0 || status.f_blocks == 0) return false;
  return std::uint64_t{status.f_bavail} * status.f_frsize < more + kMargin;
}

}  // namespace

std::uint64_t DiskReserve::Allocated(int fd) const {
  constexpr std::uint64_t kBlock = 512;  // of stat(2)
  struct stat status {};
  if (operations_->Fstat(fd, status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * kBlock;
}

// Some file systems (ext4, XFS) keep what a call that fails has allocated so far, others (tmpfs,
// btrfs) give it back: hence the halves.
Result<void> DiskReserve::Keep(int fd, std::uint64_t end, std::uint64_t bytes) {
  const std::uint64_t ample = bytes + bytes / 4;
  const std::uint64_t wanted = short_ ? ample : bytes;
  const auto enough = [&] { return !supported_ || allocated_to_ >= end + wanted; };
  if (bytes == 0 || enough()) return Ok();
  int error = 0;
  // The file has no holes; what a former process had allocated is there.
  const std::uint64_t allocated = std::max(allocated_to_, Allocated(fd));
  const std::uint64_t there = allocated > end ? allocated - end : 0;
  std::uint64_t length = ample;
  do {
    const bool exhausts = Exhausts(fd, length - std::min(length, there));
    if (!exhausts &&
        operations_->Fallocate(fd, static_cast<off_t>(end), static_cast<off_t>(length)) == 0) {
      allocated_to_ = end + length;
      // ZFS takes the call and allocates nothing.
      if (Allocated(fd) < end + length) supported_ = false;
      break;
    }
    error = exhausts ? ENOSPC : errno;
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
