// Reads the notes of a file of checkpoints one after another: each is text, an empty line and
// signature lines; an empty line stands between two. In constant memory, hostile bytes. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/byte_source.h"
#include "audit/line_reader.h"
#include "base/result.h"

namespace tidewaiter::audit {

class NoteReader {
 public:
  // `source` is borrowed and must outlive the reader.
  explicit NoteReader(ByteSource& source) : lines_(source) {}

  // The bytes of the next whole note; nothing at the end. What a crash left of one is not given.
  // Errors: FAILED_PRECONDITION for one that is too long, else the source's.
  Result<std::optional<std::string>> Next();

  // Bytes up to the end of the last note that was given: beyond it nothing is whole.
  [[nodiscard]] std::uint64_t whole() const noexcept { return whole_; }

 private:
  LineReader lines_;
  std::uint64_t whole_ = 0;
};

}  // namespace tidewaiter::audit
