// A cluster that fails at any call of a run, in any way, and brokers that are killed at any of
// them: nothing of the run stays there, nothing foreign goes, the record has one end, and the
// client has an answer.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/faults/fault_matrix.h"

namespace tidewaiter::testing {
namespace {

std::string Name(const ::testing::TestParamInfo<ExitPath>& info) {
  return TestNameOf(info.param);
}

std::unique_ptr<FaultWorld> World(const std::string& interval) {
  return std::make_unique<FaultWorld>(FaultWorld::OnCluster(),
                                      "reap_interval = \"" + interval + "\"\n");
}

// Of each path; "all" takes all of them.
constexpr std::size_t kSample = 8;

class ClusterFaults : public ::testing::TestWithParam<ExitPath> {};

// A cluster that stays so that it denies what it has is a case of its own, below.
std::vector<EngineFault> LastingFaults() {
  std::vector<EngineFault> faults = AllClusterFaults();
  std::erase(faults, EngineFault::kNotFound404);
  return faults;
}

// The comparison with the cluster is put off where one broker sees to all of it, so that it cannot
// make good what a teardown missed.
TEST_P(ClusterFaults, AtAnyCallLeaveNothingBehind) {
  const std::string interval = GetParam().changes_broker ? "1s" : "1h";
  RunMatrix(GetParam(), {.world = [&] { return World(interval); },
                         .faults = AllClusterFaults(),
                         .lasting = LastingFaults(),
                         .sample = kSample});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterFaults, ::testing::ValuesIn(ClusterPaths()), Name);
INSTANTIATE_TEST_SUITE_P(Detached, ClusterFaults, ::testing::ValuesIn(DetachedPaths()), Name);

// Those whose calls differ.
std::vector<ExitPath> Some(std::vector<ExitPath> paths, const std::vector<std::string>& names) {
  std::erase_if(paths, [&](const ExitPath& path) {
    return std::find(names.begin(), names.end(), path.name) == names.end();
  });
  return paths;
}
std::vector<ExitPath> SomeOfRuns() {
  return Some(ClusterPaths(), {"exits by itself", "is cancelled", "the server restarts amid it"});
}
std::vector<ExitPath> SomeOfDetached() {
  return Some(DetachedPaths(), {"is detached and times out", "is detached and cancelled",
                                "is detached and adopted"});
}

class ClusterDenials : public ::testing::TestWithParam<ExitPath> {};

TEST_P(ClusterDenials, OfWhatIsThereAreMadeGoodByTheComparison) {
  RunMatrix(GetParam(), {.world = [] { return World("1s"); },
                         .faults = {},
                         .lasting = {EngineFault::kNotFound404},
                         .receipts_hold = false,
                         .sample = kSample});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterDenials, ::testing::ValuesIn(SomeOfRuns()), Name);

class ClusterKills : public ::testing::TestWithParam<ExitPath> {};

TEST_P(ClusterKills, AtAnyCallLeaveNothingBehindAfterTheRestart) {
  RunMatrix(GetParam(),
            {.world = [] { return World("1s"); }, .faults = AllKills(), .sample = kSample});
}

INSTANTIATE_TEST_SUITE_P(Run, ClusterKills, ::testing::ValuesIn(SomeOfRuns()), Name);
INSTANTIATE_TEST_SUITE_P(Detached, ClusterKills, ::testing::ValuesIn(SomeOfDetached()), Name);

}  // namespace
}  // namespace tidewaiter::testing
