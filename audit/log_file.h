// The file of a segment's lines: opened so that nobody else writes it, grown by whole synced
// batches only. After any failure it holds exactly the batches that succeeded, or is cut back to
// them before the next one.
//
// Thread: one at a time (the log's writer); fd() may be read by others with pread(2).
// It must never write into a file that is not its own, nor keep a byte of a failed batch.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/disk_reserve.h"
#include "audit/file_operations.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

// Error::reason of an Append whose file is no longer the log.
inline constexpr std::string_view kLogReplaced = "LOG_REPLACED";

class LogFile {
 public:
  // Opens the file `name` in `directory` (borrowed for the life of the object) as it is, or (Begin)
  // one that is empty, made with mode 0600 where it is missing. Errors: FAILED_PRECONDITION (it is
  // a link, is not this process' or is writable by others, or is not empty), else errno's.
  static Result<LogFile> Open(int directory, std::string name, FileOperations& operations);
  static Result<LogFile> Begin(int directory, std::string name, FileOperations& operations);

  // Appends `lines` and returns when they are on disk. On an error the file is durably as before,
  // or else torn() and cut back by the next call. UNAVAILABLE (LOG_REPLACED) where the name no
  // longer leads to this file or its size is not what was left: then only another file helps.
  Result<void> Append(std::string_view lines);

  // Cuts off what is behind `size` bytes, durably. What is allocated behind them stays where there
  // is nothing to cut.
  Result<void> CutTo(std::uint64_t size);

  // Allocates `bytes` of disk behind the end, as DiskReserve::Keep. Cuts back first where torn().
  Result<void> Reserve(std::uint64_t bytes);
  // False once the file system has said that it cannot.
  [[nodiscard]] bool can_reserve() const noexcept { return reserve_.supported(); }
  // Gives back what is allocated behind the end of a file that is whole. Nothing is lost where that
  // fails.
  void GiveBackReserve();
  // Takes the file's name away again, of one in which nothing was written.
  Result<void> Remove();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Whether what a failed Append wrote may still be there after a crash.
  [[nodiscard]] bool torn() const noexcept { return torn_; }
  // Bytes that are durable.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  LogFile(int directory, std::string name, FileOperations& operations, UniqueFd fd)
      : directory_(directory),
        name_(std::move(name)),
        operations_(&operations),
        fd_(std::move(fd)),
        reserve_(operations) {}

  static Result<LogFile> OpenWith(int flags, int directory, std::string name,
                                  FileOperations& operations);
  Result<void> CheckNature();
  Result<void> CutBack();
  Result<void> Sync();
  Result<void> CheckInPlace();
  Result<void> WriteAll(std::string_view lines);
  [[nodiscard]] Error SystemError(const char* what) const;
  [[nodiscard]] Error NoLog(const std::string& cause) const;

  int directory_;
  std::string name_;
  FileOperations* operations_;
  UniqueFd fd_;
  DiskReserve reserve_;
  std::uint64_t size_ = 0;
  bool torn_ = false;  // bytes may follow size_
};

}  // namespace tidewaiter::audit
