// Gives the content of a run's outputs to its client. On the run's thread.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/run/environment.h"
#include "broker/run/kept_run.h"
#include "broker/run/run_events.h"
#include "broker/run/run_observer.h"
#include "policy/effective_run.h"

namespace tidewaiter::run {

// The mounts `output` of a run, in order, and what may come of all of them together.
struct RunOutputs {
  std::vector<std::string> names;
  std::uint64_t max_bytes = 0;
  // What a backend carries may be asked for once more, by the next broker: nothing of a detached
  // run is safe before its end is.
  bool again = false;
};
RunOutputs OutputsOf(const policy::EffectiveRun& effective);

// Makes their empty folders. Errors: RunFiles::PrepareOutput's.
Result<void> PrepareOutputs(const Environment& environment, const RunFacts& facts,
                            const policy::EffectiveRun& effective);

// Once the container has ended: each output in the order of the mounts, told to `observer` and
// recorded. `carried_by`: whom they are fetched from first; null where they lie here already. What
// breaks one off (the client takes nothing for output_stall, the run is asked to stop,
// output_timeout passes, a file cannot be read) is in its end, and is no error of the run. Returns
// what has come of each.
std::vector<KeptOutput> SendOutputs(const Environment& environment, const RunFacts& facts,
                                    const RunOutputs& outputs, Container* carried_by,
                                    RunObserver& observer, const std::stop_token& stop);

}  // namespace tidewaiter::run
