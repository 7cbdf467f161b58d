// The tree before a segment, as the first of its checkpoints has it. Nobody vouches for it here:
// for those who compare what they make of it with a root that they believe. Thread: any.
#pragma once

#include <cstdint>

#include "audit/compact_range.h"
#include "base/result.h"

namespace tidewaiter::audit {

// Of the segment in `directory` (borrowed) that begins with record `first`; of 0 without a look.
// FAILED_PRECONDITION where the checkpoint is none, or of another segment; else errno's.
Result<CompactRange> ReadEdge(int directory, std::uint64_t first);

}  // namespace tidewaiter::audit
