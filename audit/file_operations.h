// The seam to the operating system: every call by which the log changes or examines its file, so
// that tests can make a disk full, broken or hung. The functions do what the system calls of those
// names do and return 0 (or a count) or -1 with errno set. Thread: any.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string_view>

namespace tidewaiter::audit {

class FileOperations {
 public:
  FileOperations() = default;
  FileOperations(const FileOperations&) = delete;
  FileOperations& operator=(const FileOperations&) = delete;
  virtual ~FileOperations() = default;

  virtual int OpenAt(int directory, const char* name, int flags, mode_t mode);
  virtual ssize_t Write(int fd, std::string_view data);
  virtual int Fdatasync(int fd);
  virtual int Fsync(int fd);
  virtual int Ftruncate(int fd, off_t size);
  // fallocate(2) with FALLOC_FL_KEEP_SIZE.
  virtual int Fallocate(int fd, off_t offset, off_t length);
  virtual int Fstat(int fd, struct stat& status);
  // Of the name itself, links not followed.
  virtual int FstatAt(int directory, const char* name, struct stat& status);

  // The real system; lives as long as the process.
  static FileOperations& System();
};

}  // namespace tidewaiter::audit
