// What a log tells in numbers. Offline, streaming, in bounded memory whatever the log holds.
// Reads hostile bytes; proves nothing (audit/verifier.h does). Thread: any, one object at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "audit/duration_histogram.h"
#include "audit/filter.h"
#include "audit/record_reader.h"
#include "audit/timeline.h"
#include "audit/top_counts.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

// All counts are of the records that matched, but for `segments` and `file_bytes`.
struct Statistics {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;       // of their lines
  std::uint64_t unreadable = 0;  // lines of the log that are no records
  std::optional<Timestamp> first;
  std::optional<Timestamp> last;
  std::optional<std::uint64_t> first_index;
  std::optional<std::uint64_t> last_index;

  TopCounts types;
  TopCounts outcomes;  // kinds
  TopCounts rules;     // of denials, each once for every violation
  TopCounts shadow_rules;
  TopCounts principals;         // of decisions
  TopCounts denied_principals;  // of denials
  TopCounts images;             // of decisions: without their digest
  DurationHistogram durations;
  Timeline timeline;

  std::uint64_t admitted = 0;
  std::uint64_t denied = 0;
  std::uint64_t finished = 0;
  std::uint64_t unsuccessful = 0;  // ends other than EXITED with code 0
  std::uint64_t teardowns_overdue = 0;
  std::uint64_t teardowns_settled = 0;
  std::uint64_t incomplete_receipts = 0;
  std::uint64_t gaps = 0;
  std::uint64_t lost_records = 0;
  std::uint64_t refused_records = 0;
  std::uint64_t truncations = 0;

  std::uint64_t segments = 0;    // of the folder
  std::uint64_t file_bytes = 0;  // of the folder's segments as they are on the disk

  void Add(const ReadRecord& record);
};

// Of the log in `directory`. Errors as RecordReader::Next.
Result<Statistics> CollectStatistics(UniqueFd directory, const Filter& filter);

}  // namespace tidewaiter::audit
