#include "audit/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace tidewaiter::audit {
namespace {

constexpr mode_t kMode = 0600;

}  // namespace

Error LogFile::SystemError(const char* what) const {
  const int error = errno;
  return ErrnoError(error, std::string(what) + " '" + name_ + "'");
}

Error LogFile::NoLog(const std::string& cause) const {
  return Fail(ErrorCode::kFailedPrecondition, "open audit log '" + name_ + "': " + cause,
              "AUDIT_UNAVAILABLE");
}

Result<LogFile> LogFile::Open(int directory, std::string name, FileOperations& operations) {
  return OpenWith(0, directory, std::move(name), operations);
}

Result<LogFile> LogFile::Begin(int directory, std::string name, FileOperations& operations) {
  TW_ASSIGN(LogFile file, OpenWith(O_CREAT, directory, std::move(name), operations));
  if (file.size_ > 0) return file.NoLog("it exists already and is not of this log; move it away");
  return file;
}

Result<LogFile> LogFile::OpenWith(int flags, int directory, std::string name,
                                  FileOperations& operations) {
  UniqueFd fd(operations.OpenAt(directory, name.c_str(),
                                flags | O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                                kMode));
  const int error = errno;
  LogFile file(directory, std::move(name), operations, std::move(fd));
  errno = error;
  if (!file.fd_) return file.SystemError("open audit log");
  TW_TRY(file.CheckNature());
  return file;
}

Result<void> LogFile::CheckNature() {
  struct stat status {};
  if (operations_->Fstat(fd_.get(), status) != 0) return SystemError("examine audit log");
  if (!S_ISREG(status.st_mode)) return NoLog("not a regular file");
  if (status.st_uid != ::geteuid()) return NoLog("not owned by this process");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return NoLog("writable by others");
  if (status.st_nlink != 1) return NoLog("has another name");
  size_ = static_cast<std::uint64_t>(status.st_size);
  return Ok();
}

Result<void> LogFile::CutTo(std::uint64_t size) {
  torn_ = true;
  if (size == size_) return Sync();
  size_ = size;
  return CutBack();
}

Result<void> LogFile::CutBack() {
  reserve_.Drop();
  if (operations_->Ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    return SystemError("cut back audit log");
  }
  return Sync();
}

Result<void> LogFile::Sync() {
  if (operations_->Fdatasync(fd_.get()) != 0) return SystemError("sync audit log");
  torn_ = false;
  return Ok();
}

Result<void> LogFile::Reserve(std::uint64_t bytes) {
  if (torn_) TW_TRY(CutBack());
  if (Result<void> kept = reserve_.Keep(fd_.get(), size_, bytes); !kept) {
    return kept.error().Within("write audit log '" + name_ + "'");
  }
  return Ok();
}

void LogFile::GiveBackReserve() {
  reserve_.Drop();
  // Of a file that somebody else has changed, the change must stay to be seen.
  if (!CheckInPlace()) return;
  static_cast<void>(operations_->Ftruncate(fd_.get(), static_cast<off_t>(size_)));
}

Result<void> LogFile::Remove() {
  if (::unlinkat(directory_, name_.c_str(), 0) != 0) return SystemError("remove audit log");
  return Ok();
}

Result<void> LogFile::CheckInPlace() {
  struct stat named {};
  struct stat opened {};
  if (operations_->Fstat(fd_.get(), opened) != 0) return SystemError("examine audit log");
  const auto replaced = [this](const char* cause) {
    return Fail(ErrorCode::kUnavailable, "write audit log '" + name_ + "': " + cause, kLogReplaced);
  };
  if (operations_->FstatAt(directory_, name_.c_str(), named) != 0) {
    if (errno == ENOENT) return replaced("the file was deleted or moved away");
    return SystemError("examine audit log");
  }
  if (named.st_dev != opened.st_dev || named.st_ino != opened.st_ino) {
    return replaced("the file was replaced");
  }
  if (static_cast<std::uint64_t>(opened.st_size) != size_) {
    return replaced("someone else changed the file's size");
  }
  return Ok();
}

Result<void> LogFile::WriteAll(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t n = operations_->Write(fd_.get(), lines);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("write audit log");
    lines.remove_prefix(static_cast<std::size_t>(n));
  }
  if (operations_->Fdatasync(fd_.get()) != 0) return SystemError("sync audit log");
  return Ok();
}

Result<void> LogFile::Append(std::string_view lines) {
  if (torn_) TW_TRY(CutBack());
  TW_TRY(CheckInPlace());
  torn_ = true;
  if (Result<void> written = WriteAll(lines); !written) {
    // After a failed fdatasync(2) the kernel counts the pages as clean, so a second one would lie:
    // the batch is cut off and written anew. Where even that fails, the next call tries again.
    static_cast<void>(CutBack());
    return written;
  }
  torn_ = false;
  size_ += lines.size();
  return Ok();
}

}  // namespace tidewaiter::audit
