// Follows a log that is being written: each matching record once, as soon as it is durable and
// never before, also from one segment into the next.
// Thread: one at a time. Must not outlive its log.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "audit/log.h"
#include "audit/query.h"
#include "audit/record_reader.h"
#include "base/deadline.h"
#include "base/result.h"

namespace tidewaiter::audit {

class Tail {
 public:
  // Begins with record `from`, or the first behind it that is still there. With that which becomes
  // durable next: log.End().next_index. Errors as Log::Look.
  static Result<Tail> Open(Log& log, const Filter& filter, std::uint64_t from);

  struct Record {
    std::string line;  // without its line feed
    std::uint64_t index = 0;
  };
  // The next matching record. Nothing where the token or the deadline came
  // first; calling again goes on where this ended. Errors as RecordReader::Next.
  Result<std::optional<Record>> Next(const std::stop_token& stop, Deadline deadline);

 private:
  Tail(Log& log, const Filter& filter, Log::View view, std::uint64_t from);

  Log* log_;
  Matcher matcher_;
  LogEnd end_;
  RecordReader reader_;
};

}  // namespace tidewaiter::audit
