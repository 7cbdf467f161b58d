// Where the commands over the audit log get records from: the broker, or a folder that holds a log,
// for which no broker is needed. Streaming: what is held is one record. Thread: the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "audit/filter.h"
#include "base/result.h"
#include "client/commands/invocation.h"

namespace tidewaiter::cli {

struct RecordRequest {
  std::string directory = {};  // empty: the broker is asked
  audit::Filter filter = {};
  std::uint64_t limit = 0;  // of those that are there; 0: all, of a broker 10,000
  bool newest = false;      // the limit is of the last ones
  bool follow = false;      // then every further one, until the taker has enough
};

// The most that `limit` may be.
inline constexpr std::uint64_t kMaxRecordLimit = 1'000'000;

// A record's line, without its line feed. False: no more.
using TakeRecord = std::function<bool(std::string_view line)>;

// Gives each record to `take`, oldest first. A log that is followed in its folder is looked at
// every 200 ms; unlike the broker's, its newest records need not be durable yet.
Result<void> ReadRecords(const Invocation& invocation, const RecordRequest& request,
                         const TakeRecord& take);

}  // namespace tidewaiter::cli
