// A cluster that makes another pod in the place of one that is gone, while no broker is there: it
// runs the command a second time, and is never taken for the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/fault_world.h"

namespace tidewaiter::testing {
namespace {

class ClusterReplacement : public ::testing::Test {
 protected:
  // Uids of the pods that are there and somebody's.
  std::set<std::string> Pods() {
    std::set<std::string> uids;
    for (const nlohmann::json& held : world_.cluster().Holdings()) {
      const bool ours = held["Labels"].value("io.tidewaiter.broker", "") == broker_id_;
      if (held["Kind"] == "pods" && ours) uids.insert(held["Uid"].get<std::string>());
    }
    return uids;
  }

  FaultWorld world_{FaultWorld::OnCluster(), "reap_interval = \"1h\"\n"};
  const std::string broker_id_ = world_.broker().broker_id();
};

TEST_F(ClusterReplacement, OfAPodWhileNoBrokerIsThereIsNotTheRun) {
  Transcript transcript = world_.StartDetached(world_.Spec(world_.jobs().runs_for_ever));
  const std::set<std::string> before = Pods();
  ASSERT_EQ(before.size(), 1U);
  world_.ReplaceBroker([&] {
    world_.cluster().LoseNodes();
    EXPECT_TRUE(Eventually([&] { return Pods().size() == 1 && Pods() != before; }));
  });
  world_.WaitDetached(transcript);
  const v1::RunResult result = transcript.Result();
  EXPECT_EQ(result.outcome(), v1::RunResult::FAILED) << result.ShortDebugString();
  EXPECT_EQ(result.reason(), "CONTAINER_LOST");
  EXPECT_THAT(result.message(), ::testing::HasSubstr("replaced while no broker was there"));
  EXPECT_THAT(world_.Settle(), ::testing::IsEmpty()) << world_.LogTail();
  EXPECT_EQ(Pods(), std::set<std::string>());
}

}  // namespace
}  // namespace tidewaiter::testing
