// What a start finds in the segment that a former broker was writing: how far its records go, their
// tree, and whether they are what was signed for. One thread.
// It must never take records for whole that contradict a checkpoint: a broker that signed over them
// would make a stranger's change its own word.
#pragma once

#include <cstdint>
#include <optional>

#include "audit/checkpoint.h"
#include "audit/compact_range.h"
#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// The most that is cut off as what a crash amid a write left: a batch and a line.
inline constexpr std::uint64_t kMaxTornBytes = std::uint64_t{3} << 20U;

struct RecoveredSegment {
  CompactRange tree = {};              // of all records of the log
  std::optional<Hash> last_leaf = {};  // of the segment's last record
  std::uint64_t size = 0;              // bytes of its whole records
  std::uint64_t torn_bytes = 0;        // behind them
  std::uint64_t checkpoints_size = 0;  // bytes of its whole checkpoints
  std::uint64_t listed_records = 0;    // what the last of them covers
  std::uint64_t signed_records = 0;    // what the newest checkpoint covers
};

// Reads the segment that begins with record `first`, and writes its file of hashes anew where the
// disk takes it; else there is none. `remembered`: a checkpoint that was kept elsewhere. Errors:
// FAILED_PRECONDITION (AUDIT_UNAVAILABLE) where its records are not those that checkpoints cover,
// where a checkpoint is not signed by `key`, or where there is something else; else errno's.
Result<RecoveredSegment> RecoverSegment(int directory, std::uint64_t first, const VerifierKey& key,
                                        const std::optional<Checkpoint>& remembered = {});

}  // namespace tidewaiter::audit
