// The exit statuses of the program. Fixed: scripts rely on them. Pure.
#pragma once

#include "client/rpc_failure.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::client {

// Of every command but `run`.
inline constexpr int kExitYes = 0;
inline constexpr int kExitNo = 1;
inline constexpr int kExitUsage = 2;

// Of `run`, which otherwise exits as the container did. The numbers are docker's (124 to 127, the
// latter two the shell's), sysexits.h's (75 EX_TEMPFAIL, 77 EX_NOPERM) and the shell's (130).
inline constexpr int kExitNoCapacity = 75;
inline constexpr int kExitDenied = 77;
inline constexpr int kExitTimedOut = 124;
inline constexpr int kExitBrokerFailed = 125;
inline constexpr int kExitCannotInvoke = 126;
inline constexpr int kExitNotThere = 127;
inline constexpr int kExitCancelled = 130;

// Exit status of `run` for a run that ended, 0 to 255.
int ExitStatusOf(const v1::RunResult& result) noexcept;

// Exit status of `run` where the broker answered with an error, or could not be asked.
int ExitStatusOf(const Error& error) noexcept;

}  // namespace tidewaiter::client
