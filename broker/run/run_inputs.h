// Takes the archives of a run's inputs from its client. On the run's thread.
#pragma once

#include <stop_token>

#include "base/result.h"
#include "broker/run/environment.h"
#include "broker/run/run_events.h"
#include "broker/run/upload_source.h"
#include "policy/effective_run.h"

namespace tidewaiter::run {

// Blocks until every input of `effective` is there, each recorded; at once where there is none.
// `uploads` may be null where there is none. Errors: RunFiles::Receive's and ArchiveReceiver's;
// INPUT_STALLED (nothing came for input_stall, or not all within input_timeout), INPUT_MISSING,
// PROTOCOL_VIOLATION.
Result<void> TakeInputs(const Environment& environment, const RunFacts& facts,
                        const policy::EffectiveRun& effective, const FileCarriage& carriage,
                        UploadSource* uploads, const std::stop_token& stop);

}  // namespace tidewaiter::run
