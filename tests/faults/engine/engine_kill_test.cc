// SIGKILL of the broker at every call that a run makes to a real engine.
#include <gtest/gtest.h>

#include "tests/faults/fault_matrix.h"
#include "tests/support/lab.h"

namespace tidewaiter::testing {
namespace {

class EngineKills : public ::testing::TestWithParam<ExitPath> {};

TEST_P(EngineKills, AtAnyCallLeaveNothingBehindAfterTheRestart) {
  TW_REQUIRE_LAB(lab);
  RunMatrix(
      GetParam(),
      {.world = [&lab] { return std::make_unique<FaultWorld>(lab, "reap_interval = \"1s\"\n"); },
       .worlds = 4,
       .faults = AllKills(),
       .sample = 20});
}

std::string Name(const ::testing::TestParamInfo<ExitPath>& param) {
  return TestNameOf(param.param);
}

INSTANTIATE_TEST_SUITE_P(Run, EngineKills, ::testing::ValuesIn(EnginePaths()), Name);

}  // namespace
}  // namespace tidewaiter::testing
