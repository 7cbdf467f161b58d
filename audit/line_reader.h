// The lines of an open log, one after another, in constant memory. Reads hostile bytes.
// Thread: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "audit/byte_source.h"
#include "base/result.h"

namespace tidewaiter::audit {

class LineReader {
 public:
  // `source` is borrowed and must outlive the reader.
  explicit LineReader(ByteSource& source);

  // The next line without its line feed, valid until the next call; nothing at the end. A last line
  // without line feed is torn and not given. Errors: FAILED_PRECONDITION for a line longer than
  // kMaxLineBytes (naming its offset), else the source's.
  Result<std::optional<std::string_view>> Next();

  // Offset after the last line that was given, from where the source began.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  // Bytes of a torn line behind it that were read so far.
  [[nodiscard]] std::size_t pending() const noexcept { return filled_ - begin_; }

 private:
  Result<bool> Fill();

  ByteSource* source_;
  std::uint64_t offset_ = 0;  // of buffer_[begin_]
  std::vector<char> buffer_;
  std::size_t begin_ = 0;   // of what has not been given yet
  std::size_t filled_ = 0;  // bytes of buffer_ that were read
};

}  // namespace tidewaiter::audit
