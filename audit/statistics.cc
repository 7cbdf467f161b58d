#include "audit/statistics.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "audit/query.h"
#include "audit/record_members.h"
#include "audit/segment_name.h"

namespace tidewaiter::audit {
namespace {

using Json = nlohmann::json;

// A hostile number must not take the sum around.
void AddTo(std::uint64_t& sum, std::optional<std::int64_t> value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const auto more = static_cast<std::uint64_t>(std::max<std::int64_t>(value.value_or(0), 0));
  sum = sum > kMost - more ? kMost : sum + more;
}

void CountRules(const Json& decision, TopCounts& rules) {
  const Json& violations = MemberOf(decision, "violations");
  if (!violations.is_array()) return;
  for (const Json& violation : violations) {
    const std::string_view rule = TextOf(violation, "rule");
    if (!rule.empty()) rules.Add(rule);
  }
}

void CountDecision(Statistics& sums, const Json& record, std::optional<Timestamp> when,
                   bool admitted) {
  ++(admitted ? sums.admitted : sums.denied);
  if (when) {
    sums.timeline.Add(*when,
                      admitted ? Timeline::Decision::kAdmitted : Timeline::Decision::kDenied);
  }
  sums.principals.Add(TextOf(record, "principal"));
  if (!admitted) sums.denied_principals.Add(TextOf(record, "principal"));
  std::string_view image = TextOf(record, "image");
  if (image.empty()) image = TextOf(record, "requested_image");
  sums.images.Add(image.substr(0, image.rfind('@')));
  CountRules(record, sums.rules);
  CountRules(MemberOf(record, "shadow"), sums.shadow_rules);
}

void CountEnd(Statistics& sums, const Json& record) {
  ++sums.finished;
  const Json& outcome = MemberOf(record, "outcome");
  const std::string_view kind = TextOf(outcome, "kind");
  sums.outcomes.Add(kind);
  if (kind != "EXITED" || IntegerOf(outcome, "exit_code") != 0) ++sums.unsuccessful;
  if (const auto duration = IntegerOf(outcome, "duration_ms")) {
    sums.durations.Add(std::chrono::milliseconds(*duration));
  }
  const Json& receipt = MemberOf(record, "receipt");
  if (receipt.is_object() && !FlagOf(receipt, "complete")) ++sums.incomplete_receipts;
}

Result<void> MeasureSegments(int directory, Statistics& sums) {
  TW_ASSIGN(const std::vector<SegmentFiles> segments, ListSegments(directory));
  for (const SegmentFiles& segment : segments) {
    if (!segment.HasRecords()) continue;
    ++sums.segments;
    for (const std::string_view suffix : {kLinesSuffix, kPackedSuffix}) {
      struct stat status {};
      const std::string name = SegmentFileName(segment.first, suffix);
      if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      AddTo(sums.file_bytes, status.st_size);
    }
  }
  return Ok();
}

}  // namespace

void Statistics::Add(const ReadRecord& record) {
  if (!record.header) {
    ++unreadable;
    return;
  }
  const RecordHeader& header = *record.header;
  ++records;
  bytes += record.line.size() + 1;
  if (!first_index) first_index = header.index;
  last_index = header.index;
  const std::optional<Timestamp> when = ParseTimestamp(header.time);
  if (when) {
    first = first ? std::min(*first, *when) : *when;
    last = last ? std::max(*last, *when) : *when;
  }
  types.Add(header.type);
  if (header.type == "teardown.overdue") ++teardowns_overdue;
  if (header.type == "teardown.settled") ++teardowns_settled;
  if (header.type == "audit.truncated") ++truncations;
  if (header.type == "audit.gap") ++gaps;

  const bool admitted_now = header.type == "run.admitted";
  if (!admitted_now && header.type != "run.denied" && header.type != "run.finished" &&
      header.type != "audit.gap") {
    return;
  }
  const auto members = ParseMembers(record.line);
  if (!members) return;
  if (header.type == "run.finished") {
    CountEnd(*this, *members);
  } else if (header.type == "audit.gap") {
    AddTo(lost_records, IntegerOf(MemberOf(*members, "log"), "lost_records"));
    AddTo(refused_records, IntegerOf(MemberOf(*members, "log"), "refused_records"));
  } else {
    CountDecision(*this, *members, when, admitted_now);
  }
}

Result<Statistics> CollectStatistics(UniqueFd directory, const Filter& filter) {
  Statistics sums;
  TW_TRY(MeasureSegments(directory.get(), sums));
  RecordReader reader(std::move(directory), 0, std::nullopt);
  TW_ASSIGN(const QuerySummary summary,
            Query(reader, filter, std::numeric_limits<std::uint64_t>::max(),
                  [&sums](const ReadRecord& record) {
                    sums.Add(record);
                    return true;
                  }));
  sums.unreadable = summary.unreadable;
  return sums;
}

}  // namespace tidewaiter::audit
