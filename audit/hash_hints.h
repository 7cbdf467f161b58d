// The hashes that a segment's lines had when they were written, one after another, out of its file
// of hashes. They are hints: whoever changes lines can change them too. They tell which record is
// the first bad one, where checkpoints tell only that there is one. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "audit/byte_source.h"
#include "audit/tree_hash.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

class HashHints {
 public:
  // None.
  HashHints() = default;
  // Of the segment that begins with record `first`; without any where its file is not there.
  HashHints(int directory, std::uint64_t first);

  // The hash of the next record. Nothing behind the last, and from an unreadable file.
  std::optional<Hash> Next();

 private:
  std::optional<FileSource> file_;
  std::vector<char> buffer_;
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t next_ = 0;  // record
};

}  // namespace tidewaiter::audit
