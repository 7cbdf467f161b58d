// The names of the log's files. A segment is a run of records, named by the index of its first one
// in 20 digits, so that names sort as the records do; docs/AUDIT.md shows the folder. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidewaiter::audit {

inline constexpr std::string_view kLinesSuffix = ".jsonl";
inline constexpr std::string_view kPackedSuffix = ".jsonl.zst";
inline constexpr std::string_view kHashesSuffix = ".hashes";
inline constexpr std::string_view kCheckpointsSuffix = ".checkpoints";

// The newest checkpoint, in the audit directory.
inline constexpr char kCheckpointName[] = "checkpoint";
// The key that signed it, as a verifier reads it: for convenience, an auditor has a copy elsewhere.
inline constexpr char kPublicKeyName[] = "key.pub";

std::string SegmentFileName(std::uint64_t first, std::string_view suffix);

// Which files there are of a segment.
struct SegmentFiles {
  std::uint64_t first = 0;
  bool lines = false;
  bool packed = false;
  bool hashes = false;
  bool checkpoints = false;
  [[nodiscard]] bool HasRecords() const noexcept { return lines || packed; }
};

// Every segment of which there is a file in `directory` (borrowed), by first index. Other names are
// passed over. Errors: errno's.
Result<std::vector<SegmentFiles>> ListSegments(int directory);

}  // namespace tidewaiter::audit
