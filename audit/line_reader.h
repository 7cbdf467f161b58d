// The lines of an open log, one after another, in constant memory. Reads hostile bytes.
// Thread: one at a time; moves no file position, so that many can read one descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidewaiter::audit {

class LineReader {
 public:
  // Reads bytes [begin, end) of `fd`, which is borrowed.
  LineReader(int fd, std::uint64_t begin, std::uint64_t end);

  // The next line without its line feed, valid until the next call; nothing at the end. A last line
  // without line feed is torn and not given. Errors: FAILED_PRECONDITION for a line longer than
  // kMaxLineBytes (naming its offset), else errno's.
  Result<std::optional<std::string_view>> Next();

  // Offset after the last line that was given.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  // Goes on to a new end, beyond the old one.
  void Extend(std::uint64_t end) noexcept { end_ = end; }

 private:
  Result<bool> Fill();

  int fd_;
  std::uint64_t offset_;  // in the file, of buffer_[begin_]
  std::uint64_t end_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;   // of what has not been given yet
  std::size_t filled_ = 0;  // bytes of buffer_ that were read
};

}  // namespace tidewaiter::audit
