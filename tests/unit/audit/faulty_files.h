// A disk that fails on command.
#pragma once

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>

#include "audit/file_operations.h"

namespace tidewaiter::audit {

class FaultyFiles : public FileOperations {
 public:
  // errno of every such call from now on; 0: as the system does it.
  std::atomic<int> write_error{0};
  std::atomic<int> sync_error{0};
  std::atomic<int> folder_sync_error{0};
  std::atomic<int> truncate_error{0};
  std::atomic<int> allocate_error{0};
  std::atomic<bool> allocates_nothing{false};
  // fallocate(2) of more fails, with ENOSPC.
  std::atomic<off_t> allocate_limit{std::numeric_limits<off_t>::max()};
  // write(2) takes at most so many bytes.
  std::atomic<std::size_t> write_limit{SIZE_MAX};
  // A failing write takes so many bytes before it fails.
  std::atomic<std::size_t> bytes_before_error{0};
  std::atomic<int> syncs{0};
  std::atomic<int> allocations{0};

  // fdatasync(2) and openat(2) block from now on, until Release.
  void Hang() {
    const std::lock_guard lock(mutex_);
    hanging_ = true;
  }
  void Release() {
    {
      const std::lock_guard lock(mutex_);
      hanging_ = false;
    }
    changed_.notify_all();
  }
  // Until a call hangs.
  void AwaitHanging() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hung_ > 0; });
  }

  ssize_t Write(int fd, std::string_view data) override {
    if (write_error != 0) {
      const std::size_t partial = bytes_before_error.exchange(0);
      if (partial > 0) return FileOperations::Write(fd, data.substr(0, partial));
      errno = write_error;
      return -1;
    }
    return FileOperations::Write(fd, data.substr(0, write_limit));
  }

  int Fdatasync(int fd) override {
    ++syncs;
    WaitWhileHanging();
    if (sync_error != 0) {
      errno = sync_error;
      return -1;
    }
    return FileOperations::Fdatasync(fd);
  }

  int Fsync(int fd) override {
    errno = folder_sync_error;
    return errno != 0 ? -1 : FileOperations::Fsync(fd);
  }

  int OpenAt(int directory, const char* name, int flags, mode_t mode) override {
    WaitWhileHanging();
    return FileOperations::OpenAt(directory, name, flags, mode);
  }

  int Fallocate(int fd, off_t offset, off_t length) override {
    ++allocations;
    errno = allocate_error != 0 ? allocate_error.load() : ENOSPC;
    if (allocate_error != 0 || length > allocate_limit) return -1;
    return allocates_nothing ? 0 : FileOperations::Fallocate(fd, offset, length);
  }

  int Ftruncate(int fd, off_t size) override {
    if (truncate_error != 0) {
      errno = truncate_error;
      return -1;
    }
    return FileOperations::Ftruncate(fd, size);
  }

 private:
  void WaitWhileHanging() {
    std::unique_lock lock(mutex_);
    ++hung_;
    if (hanging_) changed_.notify_all();
    changed_.wait(lock, [this] { return !hanging_; });
    --hung_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool hanging_ = false;
  int hung_ = 0;
};

}  // namespace tidewaiter::audit
