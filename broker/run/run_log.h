// Port: the output of a detached run on disk, in its directory, as it comes. In the multiplexed
// form of Docker's API (8 bytes before each piece: 1 for stdout or 2 for stderr, three zeros, the
// length as a big-endian 32 bit number), so that an engine's own log can take its place.
#pragma once

#include <cstdint>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/run/output_sink.h"

namespace tidewaiter::run {

// Write as OutputSink says; the rest on the run's thread.
class RunLog : public OutputSink {
 public:
  // Blocks until everything that came is in the file. Errors: the first failure, after which
  // everything is dropped: errno's, or RESOURCE_EXHAUSTED (LOG_LIMIT) where the file has become
  // larger than the run's output may be with what divides it; DEADLINE_EXCEEDED.
  virtual Result<void> Flush(Deadline deadline) = 0;
  // Bytes that came and were dropped.
  [[nodiscard]] virtual std::int64_t dropped() = 0;
};

}  // namespace tidewaiter::run
