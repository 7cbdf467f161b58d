// What a log that a crash has left holds (broker/run/run_log.h). Thread: any.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "broker/run/backend.h"

namespace tidewaiter::files {

struct LogContent {
  run::LogPosition has;    // of both streams' output
  std::uint64_t size = 0;  // of the whole pieces: what follows was cut off
};

// Ends at the first piece that is not whole or no piece. `digested`: reads all of stdout, for
// LogPosition::stdout_digest. Errors: errno's.
Result<LogContent> MeasureLog(int file, bool digested);

}  // namespace tidewaiter::files
