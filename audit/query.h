// Reads records back: those that match, oldest first, as the exact bytes of their lines.
// Thread: any, one object at a time. Never writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "audit/filter.h"
#include "audit/record_reader.h"
#include "base/result.h"

namespace tidewaiter::audit {

struct QuerySummary {
  std::uint64_t matched = 0;
  std::uint64_t unreadable = 0;  // lines that are no records: passed over
};

// Gives each matching line that `reader` has to `visit`, without its line feed, until that returns
// false or `limit` lines were given. Errors as RecordReader::Next.
Result<QuerySummary> Query(RecordReader& reader, const Filter& filter, std::uint64_t limit,
                           const std::function<bool(const ReadRecord& record)>& visit);

// The index of the record with which the last `count` matching ones of `reader` begin; where there
// are fewer, the first of them, and where there is none, the index behind the last record. Takes
// 8 bytes for each of `count`. Errors as RecordReader::Next.
Result<std::uint64_t> FindLast(RecordReader& reader, const Filter& filter, std::uint64_t count);

}  // namespace tidewaiter::audit
