// SIGTERM, and SIGKILL after the grace. On the run's thread.
#pragma once

#include <chrono>
#include <optional>

#include "broker/run/backend.h"
#include "broker/run/disk_watch.h"

namespace tidewaiter::run {

struct Stopped {
  std::optional<ContainerExit> exit;  // nothing where it survived even that
  bool by_itself = false;             // before the signal reached it
};

// At once with SIGKILL where the disk is low, or becomes so. What is left is the forced removal's.
Stopped StopContainer(Container& container, std::chrono::milliseconds grace, DiskWatch& disk);

}  // namespace tidewaiter::run
