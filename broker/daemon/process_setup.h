// What the process does to itself before it does anything else. Before the first thread.
#pragma once

#include <csignal>

namespace tidewaiter::daemon {

// umask 077; no core dumps and no ptrace (inputs and credentials pass through memory); SIGPIPE
// ignored, since a vanished peer is an error of that write; as many descriptors as allowed. Every
// one is best effort: under confinement some are refused, having been done already.
void SetUpProcess();

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and all that it starts, and gives the two that
// stop the broker, for sigtimedwait(2).
sigset_t BlockSignals();

}  // namespace tidewaiter::daemon
