#include "audit/log_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "audit/record.h"
#include "audit/record_header.h"

namespace tidewaiter::audit {
namespace {

constexpr mode_t kMode = 0600;

// How far from the end the last whole record is looked for: one line and a torn batch, which the
// log keeps below two lines' maximum.
constexpr std::uint64_t kTailBytes = 3 * kMaxLineBytes;

Error NoLog(const std::string& cause) {
  return Fail(ErrorCode::kFailedPrecondition,
              "open audit log '" + std::string(kLogFileName) + "': " + cause, "AUDIT_UNAVAILABLE");
}

Error SystemError(const char* what) {
  const int error = errno;
  return ErrnoError(error, std::string(what) + " '" + kLogFileName + "'");
}

Result<std::string> ReadTail(int fd, std::uint64_t begin, std::uint64_t end) {
  std::string tail(static_cast<std::size_t>(end - begin), '\0');
  std::size_t filled = 0;
  while (filled < tail.size()) {
    const ssize_t n =
        ::pread(fd, tail.data() + filled, tail.size() - filled, static_cast<off_t>(begin + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read audit log");
    if (n == 0) return NoLog("it shrank while it was read");
    filled += static_cast<std::size_t>(n);
  }
  return tail;
}

struct LastRecord {
  std::size_t end = 0;  // offset after its line feed
  std::uint64_t index = 0;
};

// The last line of `tail` that is a whole record.
std::optional<LastRecord> FindLastRecord(std::string_view tail) {
  std::size_t feed = tail.rfind('\n');
  while (feed != std::string_view::npos) {
    const std::size_t before = feed == 0 ? std::string_view::npos : tail.rfind('\n', feed - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    if (const auto header = ReadHeader(tail.substr(begin, feed - begin))) {
      return LastRecord{feed + 1, header->index};
    }
    feed = before;
  }
  return std::nullopt;
}

// A first record that a crash tore has no line feed; anything else without a record is foreign.
bool IsTornFirstRecord(std::string_view text) {
  return text.size() <= kMaxLineBytes &&
         text.substr(0, 2) == std::string_view("{\"").substr(0, text.size()) &&
         text.find('\n') == std::string_view::npos;
}

}  // namespace

Result<LogFile> LogFile::Open(int directory, FileOperations& operations) {
  UniqueFd fd(operations.OpenAt(directory, kLogFileName,
                                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                                kMode));
  if (!fd) return SystemError("open audit log");
  LogFile file(directory, operations, std::move(fd));
  TW_TRY(file.CheckNature());
  TW_TRY(file.Lock());
  TW_TRY(file.FindEnd());
  if (file.torn_) TW_TRY(file.CutBack());
  // The name of a file that was just created must survive a crash as well as its first record does.
  if (operations.Fsync(directory) != 0) return SystemError("sync directory of audit log");
  return file;
}

Result<void> LogFile::CheckNature() {
  struct stat status {};
  if (operations_->Fstat(fd_.get(), status) != 0) return SystemError("examine audit log");
  if (!S_ISREG(status.st_mode)) return NoLog("not a regular file");
  if (status.st_uid != ::geteuid()) return NoLog("not owned by this process");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return NoLog("writable by others");
  if (status.st_nlink != 1) return NoLog("has another name");
  return Ok();
}

Result<void> LogFile::Lock() {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return Ok();
  if (errno == EWOULDBLOCK) return NoLog("another broker writes it");
  return SystemError("lock audit log");
}

Result<void> LogFile::FindEnd() {
  struct stat status {};
  if (operations_->Fstat(fd_.get(), status) != 0) return SystemError("examine audit log");
  const auto file_size = static_cast<std::uint64_t>(status.st_size);
  if (file_size == 0) return Ok();
  const std::uint64_t begin = file_size > kTailBytes ? file_size - kTailBytes : 0;
  TW_ASSIGN(const std::string tail, ReadTail(fd_.get(), begin, file_size));
  if (const std::optional<LastRecord> last = FindLastRecord(tail)) {
    size_ = begin + last->end;
    next_index_ = last->index + 1;
  } else if (begin != 0 || !IsTornFirstRecord(tail)) {
    return NoLog("holds no record at its end; move it away to begin a new log");
  }
  cut_bytes_ = file_size - size_;
  torn_ = cut_bytes_ > 0;
  return Ok();
}

Result<void> LogFile::CutBack() {
  if (operations_->Ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    return SystemError("cut back audit log");
  }
  if (operations_->Fdatasync(fd_.get()) != 0) return SystemError("sync audit log");
  torn_ = false;
  return Ok();
}

Result<void> LogFile::CheckInPlace() {
  struct stat named {};
  struct stat opened {};
  if (operations_->Fstat(fd_.get(), opened) != 0) return SystemError("examine audit log");
  const auto replaced = [](const char* cause) {
    return Fail(ErrorCode::kUnavailable,
                "write audit log '" + std::string(kLogFileName) + "': " + cause, kLogReplaced);
  };
  if (operations_->FstatAt(directory_, kLogFileName, named) != 0) {
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
