#include "audit/query.h"

#include "audit/canonical_json.h"

namespace tidewaiter::audit {
namespace {

std::string InLine(const std::string& text) {
  if (text.empty()) return {};
  const std::string quoted = JsonString(text);
  return quoted.substr(1, quoted.size() - 2);
}

bool Holds(const std::string& wanted, std::string_view found) {
  return wanted.empty() || wanted == found;
}

}  // namespace

Matcher::Matcher(const Filter& filter)
    : run_id_(InLine(filter.run_id)),
      principal_(InLine(filter.principal)),
      type_(InLine(filter.type)) {
  if (filter.since) since_ = FormatTimestamp(*filter.since);
  if (filter.until) until_ = FormatTimestamp(*filter.until);
}

bool Matcher::Matches(const RecordHeader& header) const {
  if (!Holds(run_id_, header.run_id) || !Holds(principal_, header.principal)) return false;
  if (!Holds(type_, header.type)) return false;
  // The times are of fixed width: they compare as texts.
  if (!since_.empty() && header.time < since_) return false;
  return until_.empty() || header.time < until_;
}

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
    if (!matcher.Matches(*record->header)) continue;
    ++summary.matched;
    if (!visit(*record)) break;
  }
  return summary;
}

}  // namespace tidewaiter::audit
