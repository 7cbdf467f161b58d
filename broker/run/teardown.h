// Where every exit path of a run ends: removes what it created, newest first, each confirmed
// absent. Runs on the run's thread or the reaper's. Never takes a stop token: nothing shortens a
// teardown.
#pragma once

#include <vector>

#include "base/deadline.h"
#include "base/strong_id.h"
#include "broker/run/backend.h"
#include "broker/run/environment.h"
#include "broker/run/kept_run.h"
#include "broker/run/outcome.h"

namespace tidewaiter::run {

// Tries every resource, also after a failure, until `deadline`. What is not confirmed absent stays
// in `resources`, in its order; the rest is erased from it.
Receipt Teardown(Backend& backend, const RunId& run_id, std::vector<Resource>& resources,
                 Deadline deadline);

// Removes the run's directory with its files, once nothing else of it is left.
Removal CloseRun(const Environment& environment, const RunId& run_id, Deadline deadline);

// In its place, for a detached run: keeps what is to be had of it, and says so. Confirmed once that
// is done.
Removal KeepRun(const Environment& environment, const KeptRun& run, Deadline deadline);

// Whether a removal that failed says that the backend does not answer, or took all its time: then
// there is no use in asking the backend for more at once.
bool IsUnanswered(const Removal& removal, Deadline deadline);

}  // namespace tidewaiter::run
