// Output on its way to the client: limits, slow readers, broken streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <thread>

#include "broker/run/output_limiter.h"
#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(OutputLimiter, PassesUpToTheLimitAndCountsTheRest) {
  FakeObserver client;
  run::OutputLimiter limiter(client, 5);
  EXPECT_TRUE(limiter.Write(run::OutputStream::kStdout, Bytes("abc")));
  EXPECT_TRUE(limiter.Write(run::OutputStream::kStderr, Bytes("defg")));
  EXPECT_TRUE(limiter.Write(run::OutputStream::kStdout, Bytes("hi")));
  EXPECT_EQ(client.output(), "abcde");
  EXPECT_EQ(limiter.dropped_over_limit(), 4);
  EXPECT_EQ(limiter.dropped_unread(), 0);
}

TEST(OutputLimiter, FullClientPausesTheProducerUntilItMakesRoom) {
  FakeObserver client;
  run::OutputLimiter limiter(client, 100);
  int resumed = 0;
  limiter.SetResume([&] { ++resumed; });
  client.StopReading();
  EXPECT_FALSE(limiter.Write(run::OutputStream::kStdout, Bytes("a")));
  EXPECT_TRUE(limiter.ClientFull());
  client.MakeRoom();
  EXPECT_FALSE(limiter.ClientFull());
  EXPECT_EQ(resumed, 1);
}

TEST(OutputLimiter, DropRestLetsThePausedProducerGoOnIntoNothing) {
  FakeObserver client;
  run::OutputLimiter limiter(client, 100);
  int resumed = 0;
  limiter.SetResume([&] { ++resumed; });
  client.StopReading();
  limiter.Write(run::OutputStream::kStdout, Bytes("a"));
  limiter.DropRest();
  EXPECT_EQ(resumed, 1);
  EXPECT_TRUE(limiter.Write(run::OutputStream::kStdout, Bytes("bcd")));
  EXPECT_EQ(client.output(), "a");
  EXPECT_EQ(limiter.dropped_unread(), 3);
}

TEST(OutputLimiter, DetachedProducerIsNeverCalledAgain) {
  FakeObserver client;
  run::OutputLimiter limiter(client, 100);
  int resumed = 0;
  limiter.SetResume([&] { ++resumed; });
  limiter.SetResume({});
  client.MakeRoom();
  limiter.DropRest();
  EXPECT_EQ(resumed, 0);
}

class Output : public ::testing::Test, public CoreWorld {};

TEST_F(Output, OverLogLimitIsCountedAndTold) {
  policy::RunSpec spec = Spec();
  spec.limits.log_bytes = 4096;
  Client client = Launch(spec);
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  container->Emit(std::string(5000, 'x'));
  container->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->output().size(), 4096U);
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated LOG_LIMIT 904"));
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunFinished).at(0).dropped_output_bytes, 904);
}

TEST_F(Output, ResultWaitsForTheEndOfTheOutput) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  container->Exit(run::ContainerExit{}, /*keep_output=*/true);
  container->Emit("last words");
  EXPECT_EQ(client->told().Count("outcome"), 0U);
  container->EndOutput();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->output(), "last words");
  EXPECT_THAT(client->told().Of("truncated"), IsEmpty());
}

TEST_F(Output, SilenceBeforeTheEndIsNoReasonToGiveUpTheRest) {
  environment.settings.output_stall = std::chrono::seconds(2);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  // Longer than the stall, and then what an engine takes between the two pieces of news.
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  container->Exit(run::ContainerExit{}, /*keep_output=*/true);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  container->Emit("last words");
  container->EndOutput();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->output(), "last words");
  EXPECT_THAT(client->told().Of("truncated"), IsEmpty());
}

TEST_F(Output, ClientThatStopsReadingLosesTheRest) {
  environment.settings.output_stall = std::chrono::milliseconds(30);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  client->StopReading();
  EXPECT_FALSE(container->Emit("first"));
  container->Exit(run::ContainerExit{}, /*keep_output=*/true);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_GE(container->resumes(), 1);
  EXPECT_THAT(client->told().Of("truncated"), Contains("truncated SLOW_CLIENT 0"));
  EXPECT_EQ(client->outcome()->kind, run::Outcome::Kind::kExited);
  ExpectNothingLeft();
}

// The three of an engine that tells of an exit only once the output has been read (moby#41827).
TEST_F(Output, ExitThatAClientWithholdsByNotReadingIsFoundAfterTheStall) {
  environment.settings.output_stall = std::chrono::milliseconds(30);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  client->StopReading();
  EXPECT_FALSE(container->Emit("first"));
  container->ExitWithheld(3);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, run::Outcome::Kind::kExited);
  EXPECT_EQ(client->outcome()->exit_code, 3);
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated SLOW_CLIENT 0"));
  ExpectNothingLeft();
}

TEST_F(Output, ExitThatIsStillWithheldAtTheTimeoutIsNoTimeout) {
  engine.WithholdExits(3);
  Client client = Launch(SpecWithTimeout(std::chrono::milliseconds(30)));
  ASSERT_TRUE(trace.WaitFor("engine:ask"));
  // A moment in which a run that did not wait for the exit would stop the container.
  trace.WaitSize(SIZE_MAX, std::chrono::milliseconds(50));
  client->MakeRoom();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, run::Outcome::Kind::kExited);
  EXPECT_EQ(client->outcome()->exit_code, 3);
  EXPECT_THAT(client->told().Of("truncated"), IsEmpty());
  EXPECT_THAT(trace.Of("engine:signal"), IsEmpty());
}

TEST_F(Output, CancelFindsTheExitThatWasWithheld) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  client->StopReading();
  container->Emit("first");
  container->ExitWithheld(3);
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, run::Outcome::Kind::kExited);
  EXPECT_EQ(client->outcome()->exit_code, 3);
}

TEST_F(Output, RunningContainerWaitsForAClientThatPausesLongerThanTheStall) {
  environment.settings.output_stall = std::chrono::milliseconds(20);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  client->StopReading();
  EXPECT_FALSE(container->Emit("first"));
  ASSERT_TRUE(trace.WaitFor("engine:ask", 2));
  client->MakeRoom();
  EXPECT_TRUE(container->Emit(", second"));
  container->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->output(), "first, second");
  EXPECT_THAT(client->told().Of("truncated"), IsEmpty());
}

TEST_F(Output, TimeoutStillEndsAContainerThatRunsWhileTheClientReadsNothing) {
  Client client = Launch(SpecWithTimeout(std::chrono::milliseconds(30)));
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  client->StopReading();
  container->Emit("first");
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, run::Outcome::Kind::kTimedOut);
  EXPECT_EQ(client->outcome()->exit_code, 128 + SIGTERM);
}

TEST_F(Output, BrokenStreamIsTold) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  container->EndOutput(Fail(ErrorCode::kUnavailable, "read the output: connection reset"));
  container->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated ENGINE_STREAM_LOST 0"));
}

TEST_F(Output, StreamThatEndedWithTheEngineIsTold) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const auto container = engine.WaitContainer();
  container->CutOff();
  container->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated ENGINE_STREAM_LOST 0"));
}

TEST_F(Output, StreamThatNeverEndsDoesNotHoldTheRun) {
  environment.settings.output_stall = std::chrono::milliseconds(30);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  engine.WaitContainer()->Exit(run::ContainerExit{}, /*keep_output=*/true);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated ENGINE_STREAM_LOST 0"));
  ExpectNothingLeft();
}

TEST_F(Output, StopThatEndsTheWaitForTheOutputIsNotBlamedOnTheEngine) {
  environment.settings.stop_grace = std::chrono::milliseconds(20);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  engine.WaitContainer()->Exit(run::ContainerExit{}, /*keep_output=*/true);
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated RUN_STOPPED 0"));
}

TEST_F(Output, ContainerThatTheEngineLostIsBlamedOnTheEngine) {
  environment.settings.stop_grace = std::chrono::milliseconds(20);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  engine.WaitContainer()->Exit(LostBecause(Fail(ErrorCode::kUnavailable, "gone", "CONTAINER_LOST")),
                               /*keep_output=*/true);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().Of("truncated"), ElementsAre("truncated ENGINE_STREAM_LOST 0"));
}

TEST_F(Output, VanishedClientEndsTheWaitForTheOutput) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  engine.WaitContainer()->Exit(run::ContainerExit{}, /*keep_output=*/true);
  client.Vanish();
  ASSERT_TRUE(client->WaitDone());
  ExpectNothingLeft();
}

}  // namespace
}  // namespace tidewaiter::testing
