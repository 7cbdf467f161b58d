// The records of a log's folder, one after another over its segments, also the compressed ones, in
// constant memory. Reads hostile bytes. One thread; many readers of one folder are fine, and the
// writer may go on meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "audit/byte_source.h"
#include "audit/line_reader.h"
#include "audit/log_store.h"
#include "audit/record_header.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

// A line of the log without its line feed; valid until the next call.
struct ReadRecord {
  std::string_view line;
  std::optional<RecordHeader> header;  // nothing where the line is no record
};

class RecordReader {
 public:
  // From record `from` on, or the first behind it that is still there. Up to `end`; without one the
  // whole folder as it is, to the last whole line: not all of that need be durable. Opens nothing
  // yet.
  RecordReader(UniqueFd directory, std::uint64_t from, std::optional<LogEnd> end);

  // Nothing at the end; asked again, it goes on with what has come since. Errors: errno's,
  // LineReader::Next's.
  Result<std::optional<ReadRecord>> Next();

  // Goes on to a new end, beyond the old one.
  void Extend(const LogEnd& end);
  // The index behind the last record that was given.
  [[nodiscard]] std::uint64_t next_index() const noexcept { return from_; }

 private:
  Result<std::optional<std::uint64_t>> FindNext() const;
  Result<void> Open(std::uint64_t first);
  void BoundByEnd();
  void FindLimit();

  UniqueFd directory_;
  std::uint64_t from_;
  std::optional<LogEnd> end_;
  std::optional<std::uint64_t> segment_;  // first index of the one that is open
  bool segment_is_whole_ = false;         // the next has been seen
  std::unique_ptr<ByteSource> source_;
  // Where the next segment begins: what stands behind that in this one is not the log's.
  std::optional<std::uint64_t> limit_;
  FileSource* plain_ = nullptr;  // source_, where it is no compressed one
  std::optional<LineReader> lines_;
};

}  // namespace tidewaiter::audit
