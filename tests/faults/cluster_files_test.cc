// The same for runs with an input and an output on a cluster: their Secrets, and what is run in
// their pods.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/faults/fault_matrix.h"

namespace tidewaiter::testing {
namespace {

std::string Name(const ::testing::TestParamInfo<ExitPath>& info) {
  return TestNameOf(info.param);
}

// The cluster is asked for an output again for a minute otherwise.
constexpr const char* kSettings = "output_timeout = \"2s\"\n";

std::unique_ptr<FaultWorld> World(const std::string& interval) {
  return std::make_unique<FaultWorld>(FaultWorld::OnCluster(),
                                      kSettings + ("reap_interval = \"" + interval + "\"\n"));
}

class ClusterFileFaults : public ::testing::TestWithParam<ExitPath> {};

std::vector<EngineFault> LastingFaults() {
  std::vector<EngineFault> faults = AllClusterFaults();
  std::erase(faults, EngineFault::kNotFound404);
  return faults;
}

TEST_P(ClusterFileFaults, AtAnyCallLeaveNothingBehind) {
  const std::string interval = GetParam().changes_broker ? "1s" : "1h";
  RunMatrix(GetParam(), {.world = [&] { return World(interval); },
                         .faults = AllClusterFaults(),
                         .lasting = LastingFaults()});
}

TEST_P(ClusterFileFaults, KillsAtAnyCallLeaveNothingBehindAfterTheRestart) {
  RunMatrix(GetParam(), {.world = [] { return World("1s"); }, .faults = AllKills()});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterFileFaults, ::testing::ValuesIn(ClusterFilePaths()), Name);

}  // namespace
}  // namespace tidewaiter::testing
