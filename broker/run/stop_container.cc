#include "broker/run/stop_container.h"

#include <csignal>

namespace tidewaiter::run {

Stopped StopContainer(Container& container, std::chrono::milliseconds grace, DiskWatch& disk) {
  Stopped stopped;
  for (const int signal_number : {SIGTERM, SIGKILL}) {
    if (signal_number == SIGTERM && disk.error()) continue;
    const Patience patience{.stop = {}, .deadline = Deadline::After(grace)};
    // An engine that does not take the signal may still tell of the exit.
    const Result<bool> signalled = container.Signal(signal_number, patience);
    const bool missed = signalled && !*signalled;
    // What takes the second signal was running all the while, whatever the engine said before.
    stopped.by_itself = missed && (signal_number == SIGTERM || stopped.by_itself);
    while (!stopped.exit && !patience.deadline.Passed()) {
      // A caller could choose the grace for filling the disk.
      if (signal_number == SIGTERM && disk.IsLow()) break;
      stopped.exit = container.exited().Wait({}, patience.deadline.Sooner(disk.NextLook()));
    }
    if (stopped.exit) break;
  }
  return stopped;
}

}  // namespace tidewaiter::run
