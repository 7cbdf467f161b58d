// Every way out of a run: all of it removed, one terminal record, the directory gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Step = FakeBackend::Step;
using Way = FakeBackend::Way;
using Kind = run::Outcome::Kind;

class ExitPath : public ::testing::Test, public CoreWorld {};

TEST_F(ExitPath, ExitStatusIsTheContainersOwn) {
  Client client = Launch();
  engine.WaitContainer()->Exit(42);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kExited);
  EXPECT_EQ(client->outcome()->exit_code, 42);
  EXPECT_TRUE(client->outcome()->duration.has_value());
  EXPECT_TRUE(client->receipt()->Complete());
  ExpectNothingLeft();
}

// As a cluster does, of a command that is over when its start is known.
TEST_F(ExitPath, EngineThatTellsOfStartAndEndAtOnceSaysHowLongItRan) {
  constexpr std::chrono::milliseconds kRan(40);
  engine.Set(Step::kStart, Way::kBlock);
  Client client = Launch();
  const auto container = engine.WaitContainer();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  run::ContainerExit exit = ExitedWith(0);
  exit.ran = kRan;
  container->Exit(exit);
  std::this_thread::sleep_for(kRan);
  engine.Release();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_GE(client->outcome()->duration, kRan);
}

TEST_F(ExitPath, DurationIsNotMoreThanThereWas) {
  Client client = Launch();
  run::ContainerExit exit = ExitedWith(0);
  exit.ran = std::chrono::hours(1);
  engine.WaitContainer()->Exit(exit);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_LT(client->outcome()->duration, std::chrono::minutes(10));
}

TEST_F(ExitPath, ClientIsToldInTheOrderOfTheContract) {
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("admitted", "progress", "attached", "started",
                                                "closing", "outcome EXITED", "receipt", "done"));
}

TEST_F(ExitPath, EngineHearsOfNothingBeforeJournalAndAdmissionAreDurable) {
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(trace.All(), ElementsAre("journal:open", "audit:admitted", "engine:resolve",
                                       "journal:update", "engine:create", "engine:attach",
                                       "engine:start", "audit:started", "engine:remove container",
                                       "audit:finished", "journal:close", "files:forget"));
}

TEST_F(ExitPath, RemovalGoesInReverseOrderOfCreation) {
  engine.UseNetworks();
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(trace.Of("engine:remove"),
              ElementsAre("engine:remove container", "engine:remove network"));
  ExpectNothingLeft();
}

TEST_F(ExitPath, TimeoutSendsSigtermAndLetsTheContainerEnd) {
  Client client = Launch(SpecWithTimeout(std::chrono::milliseconds(30)));
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kTimedOut);
  EXPECT_EQ(client->outcome()->exit_code, 128 + SIGTERM);
  EXPECT_THAT(trace.Of("engine:signal"), ElementsAre("engine:signal 15"));
  ExpectNothingLeft();
}

TEST_F(ExitPath, CancelIsRecordedWithItsCallerAndStopsTheContainer) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_LT(trace.Index("audit:cancelled"), trace.Index("engine:signal"));
  ASSERT_EQ(audit.Count(FakeAudit::Type::kRunCancelled), 1U);
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunCancelled)[0].caller, Alice());
  ExpectNothingLeft();
}

TEST_F(ExitPath, ContainerThatIgnoresSigtermIsKilledAfterTheGrace) {
  environment.settings.stop_grace = std::chrono::milliseconds(30);
  engine.IgnoreSignal(SIGTERM);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(trace.Of("engine:signal"), ElementsAre("engine:signal 15", "engine:signal 9"));
  ExpectNothingLeft();
}

TEST_F(ExitPath, ContainerThatSurvivesEverySignalIsRemovedByForce) {
  environment.settings.stop_grace = std::chrono::milliseconds(20);
  engine.IgnoreSignal(SIGTERM);
  engine.IgnoreSignal(SIGKILL);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_TRUE(client->receipt()->Complete());
  ExpectNothingLeft();
}

// An engine that first says of a running container that it does not run.
TEST_F(ExitPath, ContainerThatTheSecondSignalEndsDidNotEndByItself) {
  environment.settings.stop_grace = std::chrono::milliseconds(30);
  engine.DenySignal(SIGTERM);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_EQ(client->outcome()->exit_code, 128 + SIGKILL);
  ExpectNothingLeft();
}

TEST_F(ExitPath, FullDiskTakesNoGraceFromARunThatWritesNothingToIt) {
  files.FillDisk();
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_THAT(trace.Of("engine:signal"), ElementsAre("engine:signal 15"));
  ExpectNothingLeft();
}

TEST_F(ExitPath, VanishedClientGetsNoGrace) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Vanish();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kClientGone);
  EXPECT_THAT(trace.Of("engine:signal"), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(ExitPath, SecondStopCauseLoses) {
  engine.Set(Step::kSignal, Way::kBlock);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  client.Cancel();
  ASSERT_TRUE(trace.WaitFor("engine:signal"));
  client.Vanish();
  client.Cancel();
  engine.Release();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunCancelled), 1U);
}

TEST_F(ExitPath, MissingCommandIsAnOutcomeAndNeverStarted) {
  engine.CommandFails();
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCommandFailed);
  EXPECT_EQ(client->outcome()->exit_code, 127);
  EXPECT_EQ(client->told().Count("started"), 0U);
  ExpectNothingLeft();
}

TEST_F(ExitPath, LostContainerIsAFailureThatSaysWhy) {
  Client client = Launch();
  engine.WaitContainer()->Exit(
      LostBecause(Fail(ErrorCode::kUnavailable, "watch the container: gone", "CONTAINER_LOST")));
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kFailed);
  EXPECT_EQ(client->outcome()->reason, "CONTAINER_LOST");
  ExpectNothingLeft();
}

struct FailingStep {
  Step step;
  Way way;
  const char* name;
};

class EngineError : public ::testing::TestWithParam<FailingStep>, public CoreWorld {};

TEST_P(EngineError, FailsTheRunAndLeavesNothing) {
  engine.UseNetworks();
  engine.Set(GetParam().step, GetParam().way);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kFailed);
  EXPECT_EQ(client->outcome()->reason, "ENGINE_UNAVAILABLE");
  EXPECT_EQ(client->told().Count("attached"), client->told().Count("closing"));
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(
    AtEachStep, EngineError,
    ::testing::Values(FailingStep{Step::kResolve, Way::kFail, "Resolve"},
                      FailingStep{Step::kCreate, Way::kFail, "Create"},
                      FailingStep{Step::kCreate, Way::kFailAfterwards, "CreateAnswerLost"},
                      FailingStep{Step::kAttach, Way::kFail, "Attach"},
                      FailingStep{Step::kStart, Way::kFail, "Start"},
                      FailingStep{Step::kStart, Way::kFailAfterwards, "StartAnswerLost"}),
    [](const auto& row) { return row.param.name; });

class HangingEngine : public ::testing::TestWithParam<FailingStep>, public CoreWorld {};

TEST_P(HangingEngine, CancelEndsTheWaitAtOnce) {
  engine.Set(GetParam().step, Way::kHang);
  Client client = Launch();
  ASSERT_TRUE(trace.WaitFor(std::string("engine:") + GetParam().name));
  client.Cancel();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  ExpectNothingLeft();
}

TEST_P(HangingEngine, PrepareTimeoutEndsTheWait) {
  environment.settings.prepare_timeout = std::chrono::milliseconds(50);
  engine.Set(GetParam().step, Way::kHang);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kFailed);
  EXPECT_EQ(client->outcome()->reason, "DEADLINE_EXCEEDED");
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, HangingEngine,
                         ::testing::Values(FailingStep{Step::kResolve, Way::kHang, "resolve"},
                                           FailingStep{Step::kCreate, Way::kHang, "create"},
                                           FailingStep{Step::kAttach, Way::kHang, "attach"},
                                           FailingStep{Step::kStart, Way::kHang, "start"}),
                         [](const auto& row) { return row.param.name; });

TEST_F(ExitPath, NothingIsRemovedWhereNothingCanHaveBeenCreated) {
  engine.Set(Step::kResolve, Way::kFail);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(trace.Of("engine:remove"), IsEmpty());
}

TEST_F(ExitPath, TerminalRecordSaysWhatRanAndNothingOfWhatItWasGiven) {
  Client client = Launch();
  engine.WaitContainer()->Exit(3);
  ASSERT_TRUE(client->WaitDone());
  const run::AuditEvent finished = audit.Of(FakeAudit::Type::kRunFinished).at(0);
  EXPECT_FALSE(finished.effective.has_value());
  EXPECT_EQ(finished.caller, Alice());
  EXPECT_EQ(finished.outcome->exit_code, 3);
  EXPECT_EQ(finished.resolved->image_id, "sha256:i");
  EXPECT_THAT(finished.container_id, StartsWith("id-tw-"));
  EXPECT_TRUE(finished.receipt->Complete());
}

}  // namespace
}  // namespace tidewaiter::testing
