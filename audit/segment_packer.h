// Compresses a sealed segment: its lines become a zstd file that says the same, which is read back
// and compared before the lines are removed. Thread: one at a time for a folder.
// It must never remove lines that are not in the other file byte for byte.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace tidewaiter::audit {

// Whether the lines and the compressed file of that segment say the same. NOT_FOUND where one of
// them is missing. Reads no further than they are the same. CANCELLED where `stopped`, which is
// asked now and then, says so.
Result<bool> HasSameRecords(
    int directory, std::uint64_t first,
    const std::function<bool()>& stopped = [] { return false; });

// Of the segment in `directory` (borrowed) that begins with record `first`. `stopped` is asked now
// and then; where it says so, nothing has changed and CANCELLED comes back. A crash leaves the
// lines, or both files. Errors: FAILED_PRECONDITION where what was written does not read back the
// same, or where there is a compressed file that says something else: nothing is removed then; else
// errno's.
Result<void> PackSegment(int directory, std::uint64_t first, const std::function<bool()>& stopped);

}  // namespace tidewaiter::audit
