// What the process does to itself before it does anything else. Before the first thread.
#pragma once

#include <csignal>

namespace tidewaiter::daemon {

// umask 077; no core dumps and no ptrace (inputs and credentials pass through memory); SIGPIPE
// ignored, since a vanished peer is an error of that write; as many descriptors as allowed. Every
// one is best effort: under confinement some are refused, having been done already.
void SetUpProcess();

// Blocks SIGTERM and SIGINT for this thread and all that it starts, and gives the set for
// sigtimedwait(2).
sigset_t BlockStopSignals();

}  // namespace tidewaiter::daemon
