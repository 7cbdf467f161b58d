#include "audit/query.h"

#include <optional>

namespace tidewaiter::audit {

Result<QuerySummary> Query(RecordReader& reader, const Filter& filter, std::uint64_t limit,
                           const std::function<bool(const ReadRecord& record)>& visit) {
  const Matcher matcher(filter);
  QuerySummary summary;
  while (summary.matched < limit) {
    TW_ASSIGN(const std::optional<ReadRecord> record, reader.Next());
    if (!record) break;
    if (!record->header) {
      ++summary.unreadable;
      continue;
    }
    if (!matcher.Matches(*record->header, record->line)) continue;
    ++summary.matched;
    if (!visit(*record)) break;
  }
  return summary;
}

}  // namespace tidewaiter::audit
