// How far a destination has got, kept over restarts: one small file each. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::forward {

class PositionFile {
 public:
  // `STATE_DIR/forward/NAME.position`; the folder is made. Errors: errno's; FAILED_PRECONDITION
  // where others could write there.
  static Result<PositionFile> Open(const std::string& state_dir, const std::string& name);

  // The index of the next record to send; nothing where the file is not there yet. Errors:
  // FAILED_PRECONDITION where it is no such file, or not ours; errno's.
  Result<std::optional<std::uint64_t>> Read() const;
  // Replaces it, atomically and durably.
  Result<void> Write(std::uint64_t next_index) const;

 private:
  PositionFile(UniqueFd folder, std::string name)
      : folder_(std::move(folder)), name_(std::move(name)) {}

  UniqueFd folder_;
  std::string name_;
};

}  // namespace tidewaiter::forward
