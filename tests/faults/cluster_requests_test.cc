// What runs ask of a cluster: few requests each, however long they last, and two watches in all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_world.h"

namespace tidewaiter::testing {
namespace {

constexpr std::size_t kMostRequests = 8;  // docs/KUBERNETES.md

class ClusterRequests : public ::testing::Test {
 protected:
  // The first one asks for the cluster's version as well, once for each broker.
  void SetUp() override { EXPECT_EQ(world_.Run(Exits()).Result().exit_code(), 7); }

  [[nodiscard]] v1::RunSpec Exits() const { return world_.Spec({"exit", "7"}); }
  // Of all runs since Arm, once they are over.
  std::vector<std::string> Calls() {
    EXPECT_THAT(world_.Settle(), ::testing::IsEmpty());
    return world_.faulty().Calls();
  }

  FaultWorld world_{FaultWorld::OnCluster{.pace = std::chrono::milliseconds(100)},
                    "reap_interval = \"1h\"\nmax_runs_per_principal = 100\n"};
};

TEST_F(ClusterRequests, AreEightForARunThatEndsAtOnce) {
  world_.faulty().Disarm();
  world_.Run(Exits());
  EXPECT_THAT(Calls(), ::testing::ElementsAre("POST /networkpolicies", "GET /networkpolicies/*",
                                              "POST /jobs", "PATCH /networkpolicies/*",
                                              "PATCH /jobs/*", "GET /pods/*/log", "DELETE /jobs/*",
                                              "DELETE /networkpolicies/*"));
}

// To look at it now and then would show between its log and the request to stop it. What follows
// that one is a matter of how soon it obeys.
TEST_F(ClusterRequests, AreNoMoreForARunThatLasts) {
  v1::RunSpec spec = world_.Spec({"wait", "for ever"});
  spec.mutable_limits()->mutable_timeout()->set_seconds(4);
  world_.faulty().Disarm();
  EXPECT_EQ(world_.Run(spec).Result().outcome(), v1::RunResult::TIMED_OUT);
  const std::vector<std::string> calls = Calls();
  ASSERT_GE(calls.size(), 7U);
  EXPECT_EQ(calls[4], "PATCH /jobs/*");
  EXPECT_EQ(calls[5], "GET /pods/*/log");
  EXPECT_EQ(calls[6], "PATCH /jobs/*");
}

// Adopted, it is followed as before.
TEST_F(ClusterRequests, AreNoMoreForAnAdoptedRunThatLasts) {
  Transcript transcript = world_.StartDetached(world_.Spec(world_.jobs().runs_for_ever));
  world_.faulty().Disarm();
  world_.ReplaceBroker();
  const auto logs = [this] {
    const std::vector<std::string> calls = world_.faulty().Calls();
    return std::count(calls.begin(), calls.end(), "GET /pods/*/log");
  };
  EXPECT_TRUE(Eventually([&] { return logs() == 1; }));
  std::this_thread::sleep_for(std::chrono::seconds(4));  // what is tested: no further one in it
  EXPECT_EQ(logs(), 1);
  world_.CancelDetached(transcript);
  world_.WaitDetached(transcript);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED);
  EXPECT_THAT(world_.Settle(), ::testing::IsEmpty());
}

TEST_F(ClusterRequests, AreNoMoreForARunThatWritesMuch) {
  world_.faulty().Disarm();
  EXPECT_EQ(world_.Run(world_.Spec({"flood", "4000000"})).Stdout().size(), 4000000U);
  EXPECT_LE(Calls().size(), kMostRequests);
}

TEST_F(ClusterRequests, AreTwoWatchesForFiftyRunsAtOnce) {
  constexpr std::size_t kRuns = 50;
  world_.faulty().Disarm();
  {
    std::vector<std::jthread> clients;
    for (std::size_t i = 0; i < kRuns; ++i) {
      clients.emplace_back([this] {
        const Transcript transcript = world_.Run(Exits());
        EXPECT_EQ(transcript.Result().exit_code(), 7) << transcript.Result().ShortDebugString();
        EXPECT_TRUE(transcript.Receipt().complete());
      });
    }
  }
  const std::vector<std::string> calls = Calls();
  std::map<std::string, std::size_t> counts;
  for (const std::string& call : calls) ++counts[call];
  EXPECT_LE(calls.size(), kRuns * kMostRequests) << ::testing::PrintToString(counts);
  EXPECT_EQ(world_.cluster().Watches(), 2U);
}

}  // namespace
}  // namespace tidewaiter::testing
