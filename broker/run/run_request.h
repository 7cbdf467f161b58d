// Everything that one call of Broker.Run hands to the core.
#pragma once

#include <memory>
#include <string>

#include "broker/run/audit_sink.h"
#include "broker/run/run_observer.h"
#include "broker/run/upload_source.h"
#include "policy/run_spec.h"

namespace tidewaiter::run {

struct RunRequest {
  Caller caller;
  policy::RunSpec spec;
  // Of the request as it came, for the record of the decision: 32 bytes, or empty.
  std::string sha256{};
  bool with_stdin = false;
  std::shared_ptr<RunObserver> observer;
  // Asked only where the run has inputs; may be null where it has none.
  std::shared_ptr<UploadSource> uploads;
  // Whether the run goes on without whoever watches it.
  bool detached = false;
};

}  // namespace tidewaiter::run
