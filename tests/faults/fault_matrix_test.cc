// An engine that fails at any call of a run, in any way: nothing of the run stays, nothing foreign
// goes, the record has one end, and the client has an answer.
#include "tests/faults/fault_matrix.h"

#include <gtest/gtest.h>

namespace tidewaiter::testing {
namespace {

std::string Name(const ::testing::TestParamInfo<ExitPath>& info) {
  return TestNameOf(info.param);
}

class EngineFaults : public ::testing::TestWithParam<ExitPath> {};

// An engine that stays so that it denies what it has is a case of its own, below.
std::vector<EngineFault> LastingFaults() {
  std::vector<EngineFault> faults = AllFaults();
  std::erase(faults, EngineFault::kNotFound404);
  return faults;
}

// The comparison with the engine is put off where one broker sees to all of it, so that it cannot
// make good what a teardown missed.
TEST_P(EngineFaults, AtAnyCallLeaveNothingBehind) {
  const std::string interval = GetParam().changes_broker ? "1s" : "1h";
  RunMatrix(
      GetParam(),
      {.world =
           [&] { return std::make_unique<FaultWorld>("reap_interval = \"" + interval + "\"\n"); },
       .faults = AllFaults(),
       .lasting = LastingFaults()});
}

// It says "no such thing" of all that it has, so that a removal seems done: the comparison finds
// what it names itself.
TEST_P(EngineFaults, ThatDenyWhatIsThereAreMadeGoodByTheComparison) {
  RunMatrix(GetParam(),
            {.world = [] { return std::make_unique<FaultWorld>("reap_interval = \"1s\"\n"); },
             .faults = {},
             .lasting = {EngineFault::kNotFound404},
             .receipts_hold = false});
}

INSTANTIATE_TEST_SUITE_P(Run, EngineFaults, ::testing::ValuesIn(AttachedPaths()), Name);
INSTANTIATE_TEST_SUITE_P(Detached, EngineFaults, ::testing::ValuesIn(DetachedPaths()), Name);

class Kills : public ::testing::TestWithParam<ExitPath> {};

// What an engine still makes for a broker that is gone can be found by its labels alone.
TEST_P(Kills, AtAnyCallLeaveNothingBehindAfterTheRestart) {
  RunMatrix(GetParam(),
            {.world = [] { return std::make_unique<FaultWorld>("reap_interval = \"1s\"\n"); },
             .faults = AllKills()});
}

INSTANTIATE_TEST_SUITE_P(Run, Kills, ::testing::ValuesIn(AttachedPaths()), Name);
INSTANTIATE_TEST_SUITE_P(Detached, Kills, ::testing::ValuesIn(DetachedPaths()), Name);

}  // namespace
}  // namespace tidewaiter::testing
