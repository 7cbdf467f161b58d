#include "client/exit_status.h"

namespace tidewaiter::client {

int ExitStatusOf(const v1::RunResult& result) noexcept {
  switch (result.outcome()) {
    case v1::RunResult::EXITED:
      // wait(2) keeps eight bits; a broker that says otherwise must not become a success.
      return result.exit_code() >= 0 && result.exit_code() <= 255 ? result.exit_code()
                                                                  : kExitBrokerFailed;
    case v1::RunResult::COMMAND_FAILED:
      return result.exit_code() == kExitCannotInvoke ? kExitCannotInvoke : kExitNotThere;
    case v1::RunResult::TIMED_OUT: return kExitTimedOut;
    case v1::RunResult::CANCELLED: return kExitCancelled;
    default: return kExitBrokerFailed;
  }
}

int ExitStatusOf(const Error& error) noexcept {
  // Without a reason the status is gRPC's own, as for a message beyond its size limit.
  if (error.reason == "NO_CAPACITY") return kExitNoCapacity;
  if (error.reason == "POLICY_DENIED" || error.reason == "ROLE_MISSING") return kExitDenied;
  if (error.code == ErrorCode::kCancelled) return kExitCancelled;
  return kExitBrokerFailed;
}

}  // namespace tidewaiter::client
