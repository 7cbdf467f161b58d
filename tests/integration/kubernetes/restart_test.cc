// Brokers that die while the cluster works for them: detached runs go on, attached ones leave
// nothing, whenever it was. The end of each test: KubernetesWorld's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/kubernetes_world.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class KubernetesRestart : public KubernetesWorld {
 protected:
  void SetUp() override {
    KubernetesWorld::SetUp();
    if (admin_) Begin();
  }
  void KillAndRestart() {
    broker_->Kill();
    broker_->Restart();
    Reconnect();
  }
  // Until the cluster says of a container of this broker's that it has ended.
  void AwaitEndOfPod() const {
    ASSERT_TRUE(Eventually(kWithin, [&] {
      return admin_
                 ->Try({"--namespace", cluster_->name_space, "get", "pods", "--selector",
                        "io.tidewaiter.broker=" + broker_->broker_id(), "--output",
                        "jsonpath={.items[*].status.phase}"})
                 .out == "Failed";
    }));
  }
};

TEST_F(KubernetesRestart, AKilledBrokersDetachedRunGoesOnAndEndsAsItself) {
  const std::string run_id = Start(Shell("echo begun; sleep 3; echo ended; exit 7")).run_id();
  AwaitOutput(run_id, "begun\n");
  KillAndRestart();
  const Transcript transcript = Attach(run_id);
  EXPECT_EQ(transcript.Stdout(), "begun\nended\n");
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(ended.result().exit_code(), 7);
  EXPECT_EQ(RemovedKinds(ended.receipt()).front(), "job");
  EXPECT_EQ(RecordedOutcome(), "EXITED");
}

TEST_F(KubernetesRestart, WhatEndsWhileThereIsNoBrokerKeepsItsStatusAndItsOutput) {
  const std::string run_id = Start(Shell("echo begun; sleep 2; echo ended; exit 3")).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  AwaitEndOfPod();
  broker_->Restart();
  Reconnect();
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(ended.result().exit_code(), 3);
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\nended\n");
}

TEST_F(KubernetesRestart, EveryLineIsThereOnceHoweverOftenTheBrokerIsKilled) {
  std::string expected;
  for (int i = 1; i <= 40; ++i) expected += "line " + std::to_string(i) + "\n";
  const std::string run_id =
      Start(Shell("i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.1; done"))
          .run_id();
  for (const char* line : {"line 5\n", "line 15\n", "line 25\n"}) {
    AwaitOutput(run_id, line);
    KillAndRestart();
  }
  const Transcript transcript = Attach(run_id);
  EXPECT_EQ(transcript.Stdout(), expected);
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::EXITED);
}

TEST_F(KubernetesRestart, ATimeoutThatPassesWhileThereIsNoBrokerEndsTheRunAtTheNextOnesStart) {
  v1::RunSpec spec = Shell("echo begun; sleep 1000");
  spec.mutable_limits()->mutable_timeout()->set_seconds(2);
  const std::string run_id = Start(spec).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  std::this_thread::sleep_for(milliseconds(2500));  // what is tested: an absence beyond it
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::TIMED_OUT);
}

TEST_F(KubernetesRestart, AStoppedBrokerLeavesItsDetachedRunsToTheNext) {
  const std::string run_id = Start(Shell("echo begun; sleep 3; echo ended")).run_id();
  AwaitOutput(run_id, "begun\n");
  EXPECT_EQ(broker_->Stop(kWithin), 0);
  EXPECT_THAT(Leftovers(), Contains(StartsWith("job.batch/")));
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(Attach(run_id).Stdout(), "begun\nended\n");
}

TEST_F(KubernetesRestart, AKilledBrokersDetachedRunCanBeCancelled) {
  const std::string run_id = Start(Shell("echo begun; sleep 600")).run_id();
  AwaitOutput(run_id, "begun\n");
  KillAndRestart();
  EXPECT_EQ(Ask({"cancel", run_id}).status, 0);
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::CANCELLED);
  EXPECT_TRUE(ended.receipt().complete());
}

TEST_F(KubernetesRestart, AJobThatSomebodyDeletedMeanwhileIsToldAsLost) {
  const std::string run_id = Start(Shell("echo begun; sleep 600")).run_id();
  AwaitOutput(run_id, "begun\n");
  broker_->Kill();
  admin_->Ask({"--namespace", cluster_->name_space, "delete", "jobs", "--selector",
               "io.tidewaiter.run=" + run_id, "--cascade=foreground"});
  broker_->Restart();
  Reconnect();
  EXPECT_EQ(Wait(run_id).result().outcome(), v1::RunResult::LOST);
}

// One broker's death at many points of its runs: from the first call to the cluster until the
// output is there, and beyond. A kubelet that is told to remove a pod while it makes it may take
// two minutes for that (seen with 1.20: it tries again to mount what it has taken down).
TEST_F(KubernetesRestart, ABrokerThatIsKilledLeavesNothingOfItsAttachedRuns) {
  constexpr int kRuns = 10;
  std::atomic<int> admitted = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < kRuns; ++i) {
      clients.emplace_back([&] {
        v1::RunSpec spec = Shell("echo begun; sleep 600");
        spec.mutable_limits()->set_cpus(0.05);
        Run(spec, [&](const v1::RunEvent& event, GateClient::Stream&, grpc::ClientContext&) {
          admitted += event.has_admitted() ? 1 : 0;
        });
      });
      // The latest is a few milliseconds old when the broker dies, the first one runs.
      std::this_thread::sleep_for(milliseconds(10 * (kRuns - i) * (kRuns - i)));
    }
    ASSERT_TRUE(Eventually([&] { return admitted == kRuns; }));
    broker_->Kill();
  }
  EXPECT_THAT(Leftovers(), Not(IsEmpty()));
  broker_->Restart();
  Reconnect();
  ExpectNothingLeft();
  const auto ends = RecordedEnds();
  EXPECT_THAT(ends, SizeIs(kRuns));
  for (const auto& [run_id, outcomes] : ends) EXPECT_THAT(outcomes, ElementsAre("LOST")) << run_id;
}

}  // namespace
}  // namespace tidewaiter::testing
