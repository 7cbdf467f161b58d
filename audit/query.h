// Reads records back: those that match, oldest first, as the exact bytes of their lines.
// Thread: any, one object at a time. Never writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "audit/record_header.h"
#include "audit/record_reader.h"
#include "audit/timestamp.h"
#include "base/result.h"

namespace tidewaiter::audit {

// All conditions must hold; an empty one always does.
struct Filter {
  std::string run_id = {};
  std::string principal = {};
  std::string type = {};                // as "run.denied"
  std::optional<Timestamp> since = {};  // inclusive
  std::optional<Timestamp> until = {};  // exclusive
};

// A filter made ready for many lines.
class Matcher {
 public:
  explicit Matcher(const Filter& filter);
  [[nodiscard]] bool Matches(const RecordHeader& header) const;

 private:
  std::string run_id_;  // in the form in which they stand in a line
  std::string principal_;
  std::string type_;
  std::string since_;
  std::string until_;
};

struct QuerySummary {
  std::uint64_t matched = 0;
  std::uint64_t unreadable = 0;  // lines that are no records: passed over
};

// Gives each matching line that `reader` has to `visit`, without its line feed, until that returns
// false or `limit` lines were given. Errors as RecordReader::Next.
Result<QuerySummary> Query(RecordReader& reader, const Filter& filter, std::uint64_t limit,
                           const std::function<bool(const ReadRecord& record)>& visit);

}  // namespace tidewaiter::audit
