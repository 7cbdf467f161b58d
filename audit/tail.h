// Follows a log that is being written: each matching record once, as soon as it is durable and
// never before, also across a replacement of the file.
// Thread: one at a time. Must not outlive its log.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "audit/line_reader.h"
#include "audit/log.h"
#include "audit/query.h"
#include "base/deadline.h"
#include "base/result.h"

namespace tidewaiter::audit {

class Tail {
 public:
  // `from_start`: begins with the records that exist; otherwise with the first that becomes durable
  // after this call.
  static Result<Tail> Open(Log& log, const Filter& filter, bool from_start);

  // The next matching line without its line feed. Nothing where the token or the deadline came
  // first; calling again goes on where this ended. Errors as LineReader::Next and Log::View.
  Result<std::optional<std::string>> Next(const std::stop_token& stop, Deadline deadline);

 private:
  Tail(Log& log, const Filter& filter, DurableView view, bool from_start);

  Log* log_;
  Matcher matcher_;
  DurableView view_;
  LineReader lines_;                      // of view_.fd
  std::optional<DurableView> next_file_;  // read once view_ has been read to its end
  std::uint64_t next_index_;              // records before it were given or are not wanted
};

}  // namespace tidewaiter::audit
