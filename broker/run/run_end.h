// The last part of every run, however it went: teardown, result, terminal record, directory. On the
// run's thread; nothing in it waits without a deadline, and what could not be finished goes to the
// reaper.
#pragma once

#include <vector>

#include "broker/run/active_run.h"
#include "broker/run/ending.h"
#include "broker/run/environment.h"
#include "broker/run/reaper.h"
#include "broker/run/run_events.h"
#include "broker/run/run_observer.h"

namespace tidewaiter::run {

struct RunEnd {
  Backend& backend;
  const RunFacts& facts;
  JournalEntry entry;               // as it is in the journal
  std::vector<Resource> resources;  // what may exist on the engine, in order of creation
  Ending ending;
  RunObserver& observer;  // told of the outcome, the receipt and OnDone
  // It never had its turn: no outcome has been told, and nothing is kept of it.
  bool refused = false;
};

// Whether it is kept now, or will be.
bool EndRun(const Environment& environment, Reaper& reaper, ActiveRun& run, RunEnd end);

}  // namespace tidewaiter::run
