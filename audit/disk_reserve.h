// Disk that is allocated behind a file's end (fallocate(2), FALLOC_FL_KEEP_SIZE), so that the file
// can still grow once the disk is full. Whoever reads the file sees its size, and nothing of this.
//
// Thread: one at a time (the log's writer).
// It must never change a byte of the file, nor its size.
#pragma once

#include <cstdint>

#include "audit/file_operations.h"
#include "base/result.h"

namespace tidewaiter::audit {

class DiskReserve {
 public:
  explicit DiskReserve(FileOperations& operations) : operations_(&operations) {}

  // Sees to it that `bytes` are allocated behind the offset `end` of the file: more at a time, so
  // that most calls ask nothing of the system, and after an error no less than that, so that a
  // disk that is nearly full is not enough by turns. On an error (errno's) as much is as the disk
  // has, in halves, but for its last MiB. Ok, and not supported(), where the file system cannot
  // allocate beforehand.
  Result<void> Keep(int fd, std::uint64_t end, std::uint64_t bytes);
  // What ftruncate(2) does, also to the file's own size: nothing is allocated behind its end.
  void Drop() noexcept { allocated_to_ = 0; }
  [[nodiscard]] bool supported() const noexcept { return supported_; }

 private:
  // Bytes, as the file system counts them.
  [[nodiscard]] std::uint64_t Allocated(int fd) const;

  FileOperations* operations_;
  std::uint64_t allocated_to_ = 0;  // there may be more
  bool short_ = false;
  bool supported_ = true;
};

}  // namespace tidewaiter::audit
