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

// What is adopted from a cluster that stays away is tried for half a minute, with files or without:
// ClusterFaults has that.
TEST_P(ClusterFileFaults, AtAnyCallLeaveNothingBehind) {
  const bool adopted = GetParam().changes_broker;
  const std::string interval = adopted ? "1s" : "1h";
  RunMatrix(GetParam(), {.world = [&] { return World(interval); },
                         .faults = AllClusterFaults(),
                         .lasting = adopted ? std::vector<EngineFault>() : LastingFaults(),
                         .sample = 24});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterFileFaults, ::testing::ValuesIn(ClusterFilePaths()), Name);

// What those that are stopped ask for is among what the others do, or runs without files.
std::vector<ExitPath> PathsOfKills() {
  std::vector<ExitPath> paths = ClusterFilePaths();
  std::erase_if(paths, [](const ExitPath& path) {
    return path.name == "has files and times out" || path.name == "has files and is cancelled";
  });
  return paths;
}

class ClusterFileKills : public ::testing::TestWithParam<ExitPath> {};

TEST_P(ClusterFileKills, AtAnyCallLeaveNothingBehindAfterTheRestart) {
  RunMatrix(GetParam(), {.world = [] { return World("1s"); }, .faults = AllKills()});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterFileKills, ::testing::ValuesIn(PathsOfKills()), Name);

}  // namespace
}  // namespace tidewaiter::testing
