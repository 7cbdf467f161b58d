#include "broker/run/outcome.h"

namespace tidewaiter::run {

std::string_view ToString(Outcome::Kind kind) noexcept {
  switch (kind) {
    case Outcome::Kind::kExited: return "EXITED";
    case Outcome::Kind::kTimedOut: return "TIMED_OUT";
    case Outcome::Kind::kCancelled: return "CANCELLED";
    case Outcome::Kind::kCommandFailed: return "COMMAND_FAILED";
    case Outcome::Kind::kFailed: return "FAILED";
    case Outcome::Kind::kShutdown: return "SHUTDOWN";
    case Outcome::Kind::kClientGone: return "CLIENT_GONE";
    case Outcome::Kind::kLost: return "LOST";
  }
  return "OUTCOME_UNSPECIFIED";
}

}  // namespace tidewaiter::run
