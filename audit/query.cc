#include "audit/query.h"

#include <deque>
#include <limits>
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

Result<std::uint64_t> FindLast(RecordReader& reader, const Filter& filter, std::uint64_t count) {
  std::deque<std::uint64_t> last;
  TW_TRY(Query(reader, filter, std::numeric_limits<std::uint64_t>::max(),
               [&](const ReadRecord& record) {
                 last.push_back(record.header->index);
                 if (last.size() > count) last.pop_front();
                 return true;
               }));
  return last.empty() ? reader.next_index() : last.front();
}

}  // namespace tidewaiter::audit
