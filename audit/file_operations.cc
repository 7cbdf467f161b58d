#include "audit/file_operations.h"

#include <fcntl.h>
#include <unistd.h>

namespace tidewaiter::audit {

int FileOperations::OpenAt(int directory, const char* name, int flags, mode_t mode) {
  return ::openat(directory, name, flags, mode);
}

ssize_t FileOperations::Write(int fd, std::string_view data) {
  return ::write(fd, data.data(), data.size());
}

int FileOperations::Fdatasync(int fd) {
  return ::fdatasync(fd);
}

int FileOperations::Fsync(int fd) {
  return ::fsync(fd);
}

int FileOperations::Ftruncate(int fd, off_t size) {
  return ::ftruncate(fd, size);
}

int FileOperations::Fallocate(int fd, off_t offset, off_t length) {
  return ::fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
}

int FileOperations::Fstat(int fd, struct stat& status) {
  return ::fstat(fd, &status);
}

int FileOperations::FstatAt(int directory, const char* name, struct stat& status) {
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW);
}

FileOperations& FileOperations::System() {
  static FileOperations system;
  return system;
}

}  // namespace tidewaiter::audit
