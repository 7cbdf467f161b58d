// The log's file: opened so that nobody else writes it, grown by whole synced batches only. After
// any failure it holds exactly the batches that succeeded, or is cut back to them before the next
// one.
//
// Thread: one at a time (the log's writer); fd() may be read by others with pread(2).
// It must never write into a file that is not an audit log, nor keep a byte of a failed batch.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/file_operations.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

// Its name in the audit directory.
inline constexpr char kLogFileName[] = "audit.jsonl";

// Error::reason of an Append whose file is no longer the log.
inline constexpr std::string_view kLogReplaced = "LOG_REPLACED";

class LogFile {
 public:
  // Opens or creates (0600) the log in `directory` (borrowed for the life of the object) and locks
  // it with flock(2). A torn end - what follows the last whole record, as a crash leaves it - is
  // cut off. Errors: FAILED_PRECONDITION (another process holds the lock; the file is a link, is
  // not this process' or is writable by others; it holds something that is no audit log), else
  // errno's.
  static Result<LogFile> Open(int directory, FileOperations& operations);

  // Appends `lines` and returns when they are on disk. On an error the file is durably as before,
  // or else torn() and cut back by the next call. UNAVAILABLE (LOG_REPLACED) where the name no
  // longer leads to this file or its size is not what was left: then only a new Open helps.
  Result<void> Append(std::string_view lines);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Whether what a failed Append wrote may still be there after a crash.
  [[nodiscard]] bool torn() const noexcept { return torn_; }
  // Bytes that are durable.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // The index after that of the last record.
  [[nodiscard]] std::uint64_t next_index() const noexcept { return next_index_; }
  // How much Open cut off.
  [[nodiscard]] std::uint64_t cut_bytes() const noexcept { return cut_bytes_; }

 private:
  LogFile(int directory, FileOperations& operations, UniqueFd fd)
      : directory_(directory), operations_(&operations), fd_(std::move(fd)) {}

  Result<void> CheckNature();
  Result<void> Lock();
  Result<void> FindEnd();
  Result<void> CutBack();
  Result<void> CheckInPlace();
  Result<void> WriteAll(std::string_view lines);

  int directory_;
  FileOperations* operations_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t next_index_ = 0;
  std::uint64_t cut_bytes_ = 0;
  bool torn_ = false;  // bytes may follow size_
};

}  // namespace tidewaiter::audit
