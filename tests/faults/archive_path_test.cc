// The same for runs with inputs and outputs, whose files lie in their directory.
#include <gtest/gtest.h>

#include "tests/faults/fault_matrix.h"

namespace tidewaiter::testing {
namespace {

TEST(ArchiveFaults, AtAnyCallLeaveNothingBehind) {
  for (const ExitPath& path : ArchivePaths()) {
    RunMatrix(path,
              {.world = [] { return std::make_unique<FaultWorld>("reap_interval = \"1h\"\n"); },
               .faults = AllFaults()});
  }
}

TEST(ArchiveFaults, KillsAtAnyCallLeaveNothingBehindAfterTheRestart) {
  for (const ExitPath& path : ArchivePaths()) {
    RunMatrix(path,
              {.world = [] { return std::make_unique<FaultWorld>("reap_interval = \"1s\"\n"); },
               .faults = AllKills()});
  }
}

}  // namespace
}  // namespace tidewaiter::testing
