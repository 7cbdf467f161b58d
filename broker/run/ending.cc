#include "broker/run/ending.h"

#include <algorithm>

namespace tidewaiter::run {

bool MissesOutputs(const std::vector<KeptOutput>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const KeptOutput& output) { return !output.error.empty(); });
}

Outcome FromExit(const ContainerExit& exit) {
  Outcome outcome;
  outcome.exit_code = exit.exit_code;
  outcome.oom_killed = exit.oom_killed;
  outcome.message = exit.message;
  if (exit.lost) {
    outcome.kind = Outcome::Kind::kFailed;
    outcome.exit_code = 0;
    outcome.message = exit.lost->message;
    outcome.reason = exit.lost->Reason();
  } else {
    outcome.kind = exit.command_failed ? Outcome::Kind::kCommandFailed : Outcome::Kind::kExited;
  }
  return outcome;
}

}  // namespace tidewaiter::run
