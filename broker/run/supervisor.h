// The life of one run, from the decision to the last byte of its receipt, as one function that
// reads from top to bottom. It runs on the run's own thread and blocks only in waits that have a
// deadline or end with the run. Whatever happens in between, a run that was admitted is torn down
// and gets exactly one terminal record.
#pragma once

#include "broker/run/active_run.h"
#include "broker/run/environment.h"
#include "broker/run/reaper.h"
#include "broker/run/run_request.h"
#include "broker/run/slots.h"

namespace tidewaiter::run {

// Returns when the observer has been told OnDone and this run's part is over; what could not be
// finished has been given to `reaper`. Most of `request` is let go of once it has been decided.
// Whether a detached run is kept now, or will be.
bool Supervise(const Environment& environment, Slots& slots, Reaper& reaper, ActiveRun& run,
               RunRequest&& request);

}  // namespace tidewaiter::run
