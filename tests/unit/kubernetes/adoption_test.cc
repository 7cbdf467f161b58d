// What a broker makes of a Job that a former one has left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "broker/kubernetes/kubernetes_backend.h"
#include "tests/support/fake_observer.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using State = run::Adopted::State;
using testing::Answer;

class AdoptionTest : public ClusterTest {
 protected:
  AdoptionTest()
      : steps_(*io::EventLoop::Start()),
        backend_(cluster_.http(), *steps_, Access(), settings_, {}) {}

  // Of a Job with this annotation, and with these pods; `runner`: the uid of the one that the
  // journal names.
  Result<run::Adopted> Adopt(const std::string& annotations, const std::string& pods,
                             const std::string& runner = "") {
    Json job = Json::parse(Object(kRunId.value(), "j1", "7"));
    job["metadata"]["annotations"] = Json::parse(annotations);
    job["spec"] = {{"template", {{"spec", Json::object()}}}};
    cluster_.SetAnswer("GET /jobs/" + kName, Answer(200, job.dump()));
    cluster_.SetList("pods", "9", pods);
    return backend_.Adopt(
        {.container = {.kind = run::Resource::Kind::kJob, .name = kName, .id = "j1"},
         .runner = runner},
        kRunId, Soon());
  }
  // As what, where it has ended so; else "not ended" or "not lost".
  static std::string LostAs(const Result<run::Adopted>& adopted) {
    if (!adopted) return adopted.error().message;
    const auto exit = adopted->container->exited().Peek();
    if (adopted->state != State::kEnded || !exit) return "not ended";
    return exit->lost ? std::string(exit->lost->Reason()) + ": " + exit->lost->message : "not lost";
  }

  std::unique_ptr<io::EventLoop> steps_;
  KubernetesBackend backend_;
};

TEST_F(AdoptionTest, JobWithoutAPodIsYetToBeStarted) {
  const auto adopted = Adopt("{}", "");
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kCreated);
}

// It would run the command a second time.
TEST_F(AdoptionTest, JobThatWasStoppedIsNotStartedAgain) {
  const auto adopted = Adopt(JsonText(At(StopPatch(), {"metadata", "annotations"})).value(), "");
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kEnded);
  EXPECT_EQ(adopted->container->exited().Peek()->exit_code, 137);
}

TEST_F(AdoptionTest, PodOfAJobThatWasStoppedIsWaitedForAndNotMadeAnew) {
  const auto adopted = Adopt(JsonText(At(StopPatch(), {"metadata", "annotations"})).value(),
                             Object(kRunId.value(), "p1", "8", R"({"phase":"Pending"})"));
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kRunning);
  cluster_.Say("pods", Event("DELETED", Object(kRunId.value(), "p1", "10")));
  const auto exit = adopted->container->exited().Wait({}, Soon().deadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->lost.has_value());
}

class RunnerTest : public AdoptionTest {
 protected:
  static std::string Pod(const std::string& uid, const std::string& status) {
    return Object(kRunId.value(), uid, "8", status);
  }
  static std::string Stopped() {
    return JsonText(At(StopPatch(), {"metadata", "annotations"})).value();
  }
  // Of a pod that somebody deletes.
  static std::string Going(const std::string& uid, const std::string& status) {
    Json pod = Json::parse(Pod(uid, status));
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T15:27:25Z";
    pod["metadata"]["deletionGracePeriodSeconds"] = 30;
    return pod.dump();
  }
  static constexpr const char* kRuns =
      R"({"phase":"Running","containerStatuses":[{"name":"job","state":{"running":{}}}]})";
  // Before it was asked to go.
  static constexpr const char* kEndedWith5 =
      R"({"phase":"Failed","containerStatuses":[{"name":"job","state":{"terminated":)"
      R"({"exitCode":5,"finishedAt":"2026-11-23T15:26:00Z"}}}]})";
};

TEST_F(RunnerTest, IsKnownOnceThePodHasStarted) {
  const auto pending = Adopt("{}", Pod("p1", R"({"phase":"Pending"})"));
  ASSERT_TRUE(pending.has_value());
  EXPECT_EQ(pending->state, State::kCreated);
  EXPECT_EQ(pending->container->Runner(), std::nullopt);
  const auto running = Adopt("{}", Pod("p1", kRuns));
  ASSERT_TRUE(running.has_value());
  EXPECT_EQ(running->state, State::kRunning);
  ASSERT_TRUE(running->container->Runner().has_value());
  EXPECT_EQ(running->container->Runner()->kind, run::Resource::Kind::kPod);
  EXPECT_EQ(running->container->Runner()->id, "p1");
}

TEST_F(RunnerTest, ThatIsStillThereIsTheRun) {
  const auto adopted = Adopt("{}", Pod("p1", kRuns), "p1");
  ASSERT_TRUE(adopted.has_value());
  EXPECT_EQ(adopted->state, State::kRunning);
  cluster_.Say("pods", Event("MODIFIED", Pod("p1", Ended(5))));
  const auto exit = adopted->container->exited().Wait({}, Soon().deadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 5);
}

// The command has begun: to let the Job go would run it a second time.
TEST_F(RunnerTest, WhoseStateIsNotTheContainersAnyMoreIsNotStartedAgain) {
  const auto adopted = Adopt("{}", Pod("p1", R"({"phase":"Pending"})"), "p1");
  ASSERT_TRUE(adopted.has_value());
  EXPECT_EQ(adopted->state, State::kRunning);
}

TEST_F(RunnerTest, ThatWasReplacedWhileNoBrokerWasThereIsLost) {
  const auto adopted = Adopt("{}", Pod("p2", kRuns), "p1");
  EXPECT_THAT(LostAs(adopted), ::testing::HasSubstr("CONTAINER_LOST: adopt the pod: it was "
                                                    "replaced while no broker was there"));
}

TEST_F(RunnerTest, ThatWasReplacedIsNotTheRunAlsoWhereTheOtherOneHasEnded) {
  EXPECT_THAT(LostAs(Adopt("{}", Pod("p2", Ended(0)), "p1")), ::testing::HasSubstr("replaced"));
}

TEST_F(RunnerTest, ThatIsGoneIsLostAndItsJobNotStarted) {
  EXPECT_THAT(LostAs(Adopt("{}", "", "p1")),
              ::testing::HasSubstr("CONTAINER_LOST: adopt the pod: it went while no broker"));
}

TEST_F(RunnerTest, ThatTellsItsOwnEndIsBelievedBesideAnotherOne) {
  const std::string ended = Going("p1", kEndedWith5);
  const std::string other = Pod("p2", kRuns);
  for (const std::string& pods : {ended + "," + other, other + "," + ended}) {
    const auto adopted = Adopt("{}", pods, "p1");
    ASSERT_EQ(LostAs(adopted), "not lost") << pods;
    EXPECT_EQ(adopted->container->exited().Peek()->exit_code, 5);
  }
}

TEST_F(RunnerTest, ThatIsGoingBesideAnotherOneIsLost) {
  const std::string going = Going("p1", kRuns);
  const std::string other = Pod("p2", kRuns);
  for (const std::string& pods : {going + "," + other, other + "," + going}) {
    EXPECT_THAT(LostAs(Adopt("{}", pods, "p1")), ::testing::HasSubstr("CONTAINER_LOST")) << pods;
  }
}

TEST_F(RunnerTest, OfAJobThatWasStoppedHasBeenKilledWhereItIsGone) {
  const auto adopted = Adopt(Stopped(), "", "p1");
  ASSERT_EQ(LostAs(adopted), "not lost");
  EXPECT_EQ(adopted->container->exited().Peek()->exit_code, 137);
}

TEST_F(RunnerTest, OfAJobThatWasStoppedIsLostWhereAnotherOneIsThere) {
  EXPECT_THAT(LostAs(Adopt(Stopped(), Going("p2", kRuns), "p1")),
              ::testing::HasSubstr("replaced while no broker was there"));
}

TEST_F(RunnerTest, ThatWasReplacedGivesNeitherLogNorOutputs) {
  cluster_.Say("log", "the second time");
  cluster_.Cut("log");
  const auto adopted = Adopt("{}", Pod("p2", Ended(0)), "p1");
  ASSERT_TRUE(adopted.has_value());
  ASSERT_TRUE(adopted->container->FollowsLog());
  testing::FakeObserver sink;
  const auto followed = adopted->container->FollowLog({}, sink);
  ASSERT_TRUE(followed->ended().Wait({}, Soon().deadline).has_value());
  EXPECT_EQ(sink.output(), "");
  EXPECT_EQ(cluster_.Watches("log"), 0U);
  EXPECT_FALSE(adopted->container
                   ->FetchOutput(
                       {.name = "results", .max_bytes = 1, .last = true},
                       [](std::string_view) { return Ok(); }, Soon())
                   .has_value());
  EXPECT_EQ(adopted->container->Runner(), std::nullopt);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
