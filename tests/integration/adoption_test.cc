// Containers that outlive the broker that made them, taken over by the next one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/adoption_fixture.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::seconds;
using State = run::Adopted::State;

class AdoptionTest : public OnEngine {};

constexpr const char* kWaitsForTerm =
    "trap 'echo bye; exit 7' TERM; echo hello; while :; do sleep 0.05; done";

TEST_F(AdoptionTest, RunningContainerTakesASignalAndTellsItsExitCode) {
  const Left left = StartAndDie(Spec(kWaitsForTerm));
  auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kRunning);
  EXPECT_TRUE(adopted->started_at.has_value());
  EXPECT_FALSE(adopted->finished_at.has_value());
  EXPECT_THAT(adopted->image_id, ::testing::StartsWith("sha256:"));
  EXPECT_FALSE(adopted->container->exited().Peek().has_value());
  // Its shell may not have come to the trap yet.
  Output output;
  run::LogPosition position;
  while (output.out().empty()) {
    const auto read = adopted->container->ReadLog(position, output.Taker(), Soon());
    ASSERT_TRUE(read.has_value()) << read.error().message;
  }
  const Result<bool> signalled = adopted->container->Signal(SIGTERM, Soon());
  ASSERT_TRUE(signalled.has_value()) << signalled.error().message;
  EXPECT_TRUE(*signalled);
  const auto exit = adopted->container->exited().Wait({}, Deadline::After(seconds(60)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->lost.has_value());
  EXPECT_EQ(exit->exit_code, 7);
  const auto rest = adopted->container->ReadLog(position, output.Taker(), Soon());
  ASSERT_TRUE(rest.has_value()) << rest.error().message;
  EXPECT_EQ(output.out(), "hello\nbye\n");
}

TEST_F(AdoptionTest, ContainerThatEndedMeanwhileTellsHow) {
  const Left left = StartAndDie(Spec("exit 5"));
  AwaitEnd(left);
  auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kEnded);
  EXPECT_TRUE(adopted->started_at.has_value());
  EXPECT_TRUE(adopted->finished_at.has_value());
  const auto exit = adopted->container->exited().Peek();
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->lost.has_value());
  EXPECT_EQ(exit->exit_code, 5);
  EXPECT_FALSE(exit->oom_killed);
}

TEST_F(AdoptionTest, ContainerThatRanOutOfMemoryMeanwhileTellsSo) {
  policy::RunSpec spec = Spec("a=xxxxxxxx; while true; do a=$a$a; done");
  spec.limits.memory_bytes = 32 << 20;
  const Left left = StartAndDie(spec);
  AwaitEnd(left);
  auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  const auto exit = adopted->container->exited().Peek();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 137);
  EXPECT_TRUE(exit->oom_killed);
}

TEST_F(AdoptionTest, ContainerThatNeverStartedCanBeStarted) {
  Left left;
  ASSERT_TRUE(Create(Spec("exit 3"), left).has_value());
  Restart();
  auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kCreated);
  EXPECT_EQ(adopted->start_error, "");
  EXPECT_FALSE(adopted->started_at.has_value());
  ASSERT_TRUE(adopted->container->Start(Soon()).has_value());
  const auto exit = adopted->container->exited().Wait({}, Deadline::After(seconds(60)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 3);
}

TEST_F(AdoptionTest, ContainerWhoseIdIsNotKnownIsFoundByItsName) {
  Left left = StartAndDie(Spec(kWaitsForTerm));
  const std::string id = left.container().id;
  left.resources.back().id.clear();
  const auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->container->id(), id);
}

TEST_F(AdoptionTest, ContainerThatSomebodyRemovedIsNotFound) {
  Left left = StartAndDie(Spec(kWaitsForTerm));
  ASSERT_TRUE(backend()
                  .Remove(left.container(), left.run_id, Deadline::After(seconds(60)))
                  .confirmed_absent);
  for (const bool by_id : {true, false}) {
    if (!by_id) left.resources.back().id.clear();
    const auto adopted = Adopt(left);
    ASSERT_FALSE(adopted.has_value());
    EXPECT_EQ(adopted.error().code, ErrorCode::kNotFound) << adopted.error().message;
  }
}

TEST_F(AdoptionTest, ContainerOfAnotherRunOrBrokerIsNotTouched) {
  Left left = StartAndDie(Spec(kWaitsForTerm));
  Left other = left;
  other.run_id = RunId(RandomId());
  const Broker stranger(lab_, BrokerId(RandomId()));
  for (const bool by_id : {true, false}) {
    if (!by_id) left.resources.back().id = other.resources.back().id = "";
    for (const auto& adopted :
         {Adopt(other),
          stranger.backend->Adopt({.container = left.container()}, left.run_id, Soon())}) {
      ASSERT_FALSE(adopted.has_value());
      EXPECT_EQ(adopted.error().Reason(), "FOREIGN_CONTAINER") << adopted.error().message;
    }
  }
  const auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kRunning);
}

TEST_F(AdoptionTest, ContainerRemovedAfterItsAdoptionIsLost) {
  const Left left = StartAndDie(Spec(kWaitsForTerm));
  const auto adopted = Adopt(left);
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  ASSERT_TRUE(backend()
                  .Remove(left.container(), left.run_id, Deadline::After(seconds(60)))
                  .confirmed_absent);
  const auto exit = adopted->container->exited().Wait({}, Deadline::After(seconds(60)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->lost.has_value());
  run::LogPosition position;
  Output output;
  const auto read = adopted->container->ReadLog(position, output.Taker(), Soon());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound) << read.error().message;
}

}  // namespace
}  // namespace tidewaiter::docker
