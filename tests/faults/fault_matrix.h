// Every call that a run makes to its engine times every fault, one case after another on several
// brokers side by side. Prints how many there were and what was wrong after them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/exit_path.h"
#include "tests/support/faulty_engine.h"

namespace tidewaiter::testing {

struct MatrixOptions {
  // Makes a world; called on several threads.
  std::function<std::unique_ptr<FaultWorld>()> world;
  std::size_t worlds = 16;
  std::vector<EngineFault> faults;
  // Faults that last from that call until the client has its answer: an engine that stays so.
  std::vector<EngineFault> lasting = {};
  bool receipts_hold = true;  // FaultWorld::CheckAnswer
  // So many of the cases where TIDEWAITER_FAULTS is not "all", chosen by TIDEWAITER_FAULTS_SEED
  // (1 where it is not given).
  std::size_t sample = 16;
};

// Runs the path without a fault, then each case; adds a test failure for each thing that is wrong.
void RunMatrix(const ExitPath& path, const MatrixOptions& options);

// TIDEWAITER_FAULTS_SEED, or `otherwise`.
unsigned SeedOr(unsigned otherwise);

}  // namespace tidewaiter::testing
