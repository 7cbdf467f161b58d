// How adopted runs end, and which of them the broker's own end leaves to the next one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "tests/support/adoption_world.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = run::AuditEvent::Type;
using Way = FakeBackend::Way;

class AdoptionEndTest : public AdoptionWorld {
 protected:
  // Its container does what it likes.
  void IgnoreSignals() {
    environment.settings.stop_grace = milliseconds(20);
    engine.IgnoreSignal(SIGTERM);
    engine.IgnoreSignal(SIGKILL);
  }
  void PassTimeout() { entry_.detachment->launch->since_boot -= minutes(11); }
  void Cancel() { ASSERT_TRUE(registry().Cancel(entry_.run_id, Owner(), Alice())); }
  // The broker's end, after which all of it is there for the next one.
  void ExpectLeft() {
    EXPECT_EQ(registry().Shutdown(Deadline::After({})).left, 1U);
    EXPECT_THAT(engine.Existing(), SizeIs(1));
    EXPECT_THAT(journal.Entries(), SizeIs(1));
    EXPECT_THAT(journal.Kept(), IsEmpty());
    EXPECT_EQ(trace.Count("journal:conclude"), 0U);
    EXPECT_EQ(audit.Count(Type::kRunFinished), 0U);
  }
};

TEST_F(AdoptionEndTest, ABrokerThatEndsBeforeTheEngineAnswersLeavesIt) {
  engine.Set(Step::kAdopt, Way::kHang);
  Leave();
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:adopt"));
  ExpectLeft();
}

TEST_F(AdoptionEndTest, ABrokerThatEndsAmidAStartLeavesIt) {
  engine.Set(Step::kStart, Way::kHang);
  Leave(false);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  ExpectLeft();
}

TEST_F(AdoptionEndTest, ABrokerThatEndsAmidTheRestOfItsLogLeavesIt) {
  environment.settings.output_stall = hours(1);
  engine.Set(Step::kReadLog, Way::kHang);
  Leave()->Exit(0);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:read log"));
  ExpectLeft();
}

TEST_F(AdoptionEndTest, ABrokerThatEndsAmidItsOutputsLeavesIt) {
  entry_.detachment->outputs = {"results"};
  files.HangOutputs();
  Leave()->Exit(0);
  Recover();
  ASSERT_TRUE(trace.WaitFor("files:send results"));
  ExpectLeft();
}

TEST_F(AdoptionEndTest, OneThatTimesOutKeepsItsOutputs) {
  entry_.detachment->outputs = {"results"};
  entry_.detachment->output_bytes = 77;
  files.Leave("results", "tar");
  PassTimeout();
  Leave();
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kTimedOut);
  ASSERT_THAT(*state.kept, SizeIs(1));
  EXPECT_EQ(files.Archive("results"), "tar");
  EXPECT_EQ(files.max_bytes("results"), 77U);
}

TEST_F(AdoptionEndTest, NoOutputIsTakenFromAContainerThatMayStillWriteIt) {
  entry_.detachment->outputs = {"results"};
  PassTimeout();
  IgnoreSignals();
  Leave();
  Recover();
  EXPECT_THAT(*Ended().kept, IsEmpty());
  EXPECT_EQ(trace.Count("files:send"), 0U);
}

TEST_F(AdoptionEndTest, HowItEndedIsOnDiskBeforeItsContainerGoes) {
  Leave()->Exit(0);
  Recover();
  Ended();
  EXPECT_LT(trace.Index("journal:conclude"), trace.Index("engine:remove"));
}

// A disk that hangs must not let it run on.
TEST_F(AdoptionEndTest, AContainerThatSurvivesEverySignalGoesBeforeAnythingIsWrittenOfIt) {
  PassTimeout();
  IgnoreSignals();
  Leave();
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kTimedOut);
  EXPECT_LT(trace.Index("engine:remove"), trace.Index("journal:conclude"));
  EXPECT_LT(trace.Index("journal:conclude"), trace.Index("audit:finished"));
}

TEST_F(AdoptionEndTest, AContainerThatTheEngineLostGoesBeforeAnythingIsWrittenOfIt) {
  const auto container = Leave();
  Recover();
  container->Exit(LostBecause(Fail(ErrorCode::kNotFound, "inspect it: gone", "CONTAINER_GONE")));
  EXPECT_EQ(Ended().outcome->reason, "CONTAINER_GONE");
  EXPECT_LT(trace.Index("engine:remove"), trace.Index("journal:conclude"));
}

TEST_F(AdoptionEndTest, AContainerThatIsLostWhileItIsStoppedGoesBeforeAnythingIsWrittenOfIt) {
  engine.IgnoreSignal(SIGTERM);
  const auto container = Leave();
  Recover();
  Cancel();
  ASSERT_TRUE(trace.WaitFor("engine:signal 15"));
  container->Exit(LostBecause(Fail(ErrorCode::kNotFound, "inspect it: gone", "CONTAINER_GONE")));
  Ended();
  EXPECT_LT(trace.Index("engine:remove"), trace.Index("journal:conclude"));
}

TEST_F(AdoptionEndTest, OneThatEndedBeforeTheSignalReachedItEndedByItself) {
  engine.DenySignal(SIGTERM);
  const auto container = Leave();
  Recover();
  Cancel();
  ASSERT_TRUE(trace.WaitFor("engine:signal 15"));
  container->Exit(5);
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kExited);
  EXPECT_EQ(state.outcome->exit_code, 5);
}

TEST_F(AdoptionEndTest, OneThatWasStoppedSaysWithWhichStatusItEnded) {
  Leave();
  Recover();
  Cancel();
  EXPECT_EQ(Ended().outcome->exit_code, 128 + SIGTERM);
  EXPECT_THAT(trace.Of("engine:signal"), ElementsAre("engine:signal 15"));
}

// Whoever calls it off has read it so far, and may read the rest.
TEST_F(AdoptionEndTest, WhatACancelledOneSaidLastIsInItsLog) {
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:read log"));
  container->Emit("last words");
  Cancel();
  Ended();
  EXPECT_EQ(files.Log(), "1:last words");
}

TEST_F(AdoptionEndTest, OneThatIsLostWhenItsTimeIsOverIsNotTimedOut) {
  const auto container = Leave();
  const auto started = std::chrono::system_clock::now() - minutes(30);
  entry_.detachment->launch->since_boot -= minutes(30);
  container->SetTimes(started, started + minutes(11));
  container->Exit(LostBecause(Fail(ErrorCode::kNotFound, "inspect it: gone", "CONTAINER_GONE")));
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kFailed);
}

TEST_F(AdoptionEndTest, AnEngineThatSaysNothingLongAfterItsTimeIsOverIsToldToRemoveIt) {
  engine.Set(Step::kAdopt, Way::kFail);
  environment.settings.teardown_timeout = milliseconds(5);
  PassTimeout();
  Leave();
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kTimedOut);
  EXPECT_THAT(Words(), HasSubstr("did not say"));
}

TEST_F(AdoptionEndTest, AnEngineThatSaysNothingUntilItsTimeIsOverIsStillAskedHowItEnded) {
  engine.Set(Step::kAdopt, Way::kFail);
  environment.settings.teardown_timeout = std::chrono::seconds(10);
  PassTimeout();
  const auto container = Leave();
  const auto started = std::chrono::system_clock::now() - minutes(11);
  container->SetTimes(started, started + minutes(1));
  container->Emit("said");
  container->Exit(0);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:adopt", 10));
  engine.Set(Step::kAdopt, Way::kSucceed);
  EXPECT_EQ(Ended().outcome->kind, Kind::kExited);
  EXPECT_EQ(files.Log(), "1:said");
}

TEST_F(AdoptionEndTest, OneThatWasCancelledBeforeItsStartIsNotStarted) {
  environment.settings.stop_grace = milliseconds(20);
  entry_.detachment->cancelled_by = "bob";
  Leave(false);
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kCancelled);
  EXPECT_EQ(trace.Count("engine:start"), 0U);
}

TEST_F(AdoptionEndTest, AContainerThatSurvivesEverySignalGoesBeforeItsLogIsRead) {
  IgnoreSignals();
  PassTimeout();
  Leave();
  Recover();
  Ended();
  EXPECT_EQ(trace.Count("engine:read log"), 0U);
}

TEST_F(AdoptionEndTest, AnEngineThatIsAwayForLongTakesNoTimeFromIt) {
  environment.settings.teardown_timeout = milliseconds(20);
  engine.FailNext(Step::kAdopt, 30);
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:adopt", 31));
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionEndTest, OneThatTheEngineNeverStartsFailsAfterAFewTriesAndSaysWhy) {
  engine.Set(Step::kStart, Way::kFail);
  Leave(false);
  Recover();
  const auto ended = Ended();
  EXPECT_EQ(ended.outcome->kind, Kind::kFailed);
  EXPECT_EQ(ended.outcome->reason, "ENGINE_UNAVAILABLE");
  EXPECT_EQ(trace.Count("engine:start"), 5U);
}

TEST_F(AdoptionEndTest, NothingIsStartedBeforeItsNewLaunchIsOnDisk) {
  journal.FailUpdates(1);
  const auto container = Leave(false);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  container->Exit(0);
  Ended();
  EXPECT_EQ(trace.Count("engine:start"), 1U);
  EXPECT_LT(trace.Index("journal:update"), trace.Index("engine:start"));
}

TEST_F(AdoptionEndTest, OneThatGoesOnWhileTheDiskFillsUpIsStopped) {
  Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  files.FillDisk();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kFailed);
  EXPECT_EQ(state.outcome->reason, "DISK_LOW");
  EXPECT_THAT(trace.Of("engine:signal"), ElementsAre("engine:signal 9"));  // no grace to write in
}

TEST_F(AdoptionEndTest, OneWhoseLogTheDiskTakesNoMoreOfEndsAllTheSame) {
  environment.settings.output_stall = milliseconds(10);
  files.StallLogs();
  const auto container = Leave();
  container->Emit("begun");
  container->Emit(" and ended");
  container->Exit(3);
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->exit_code, 3);
  EXPECT_EQ(state.truncated, "LOG_FAILED");
  EXPECT_EQ(state.dropped_bytes, 10);
}

TEST_F(AdoptionEndTest, OneThatIsCancelledAmidTheRestOfItsLogSaysThatItIsCut) {
  environment.settings.output_stall = hours(1);
  engine.Set(Step::kReadLog, Way::kHang);
  Leave()->Exit(3);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:read log"));
  Cancel();
  const auto state = Ended();
  EXPECT_EQ(state.truncated, "RUN_STOPPED");
  EXPECT_EQ(state.outcome->exit_code, 3);
}

TEST_F(AdoptionEndTest, OneWhoseLogCannotBeOpenedSaysSo) {
  files.LoseLogs();
  Leave()->Exit(0);
  Recover();
  EXPECT_EQ(Ended().truncated, "LOG_FAILED");
}

TEST_F(AdoptionEndTest, TheFirstReasonForALossIsKept) {
  entry_.detachment->log_bytes = 2;
  files.FailLogs();
  const auto container = Leave();
  container->Emit("begun");
  container->Exit(0);
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.truncated, "LOG_LIMIT");
  EXPECT_EQ(state.dropped_bytes, 3 + 3);
}

TEST_F(AdoptionEndTest, WhoeverAsksIsToldHowItEndedThoughItCannotBeRemoved) {
  engine.Set(Step::kRemove, Way::kHang);
  const auto container = Leave();
  Recover();
  container->Exit(7);
  ASSERT_TRUE(Eventually([&] { return run_->Done(); }));
  ASSERT_TRUE(run_->Get().outcome);
  EXPECT_EQ(run_->Get().outcome->exit_code, 7);
  EXPECT_EQ(Begin("k")->run, run_);
  engine.Set(Step::kRemove, Way::kSucceed);
  Ended();
}

TEST_F(AdoptionEndTest, ItsLogIsNoLongerThanTheFormerBrokersWouldHaveBeen) {
  Leave()->Exit(0);
  Recover();
  Ended();
  EXPECT_THAT(trace.Of("files:resume log"), ElementsAre("files:resume log of 1000"));
}

TEST_F(AdoptionEndTest, WhatAnEngineFollowsByItselfIsNotAskedForAgainAndAgain) {
  engine.FollowLogs();
  files.LeaveLog("1:be", {.stdout_bytes = 2, .stderr_bytes = 0});
  const auto container = Leave();
  container->Emit("begun");
  Recover();
  EXPECT_TRUE(Eventually([&] { return files.Log() == "1:be1:gun"; }));
  container->Emit(" and ended");
  container->Exit(3);
  const auto state = Ended();
  EXPECT_EQ(state.outcome->exit_code, 3);
  EXPECT_EQ(state.truncated, "");
  EXPECT_EQ(files.Log(), "1:be1:gun1: and ended");
  EXPECT_THAT(trace.Of("engine:follow log"), ElementsAre("engine:follow log from 2"));
  EXPECT_EQ(trace.Count("engine:read log"), 0U);
  // Held against what the former broker had of it.
  EXPECT_THAT(trace.Of("files:resume log"),
              ElementsAre("files:resume log of 1000 with its digest"));
}

TEST_F(AdoptionEndTest, ALogThatIsFollowedIsLeftToTheNextBroker) {
  engine.FollowLogs();
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:follow log"));
  ExpectLeft();
  container->Emit("nobody hears it");
  EXPECT_EQ(files.Log(), "");
}

TEST_F(AdoptionEndTest, ALogThatIsFollowedAndLostIsTold) {
  engine.FollowLogs();
  const auto container = Leave();
  container->EndOutput(Fail(ErrorCode::kUnavailable, "follow it: rotated", "LOG_INCOMPLETE"));
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:follow log"));
  container->Exit(0);
  EXPECT_EQ(Ended().truncated, "ENGINE_STREAM_LOST");
}

TEST_F(AdoptionEndTest, TheListNamesItsContainer) {
  Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  EXPECT_EQ(registry().Get(entry_.run_id, Owner())->container_id, container_.id);
}

TEST_F(AdoptionEndTest, ALogThatIsBeyondItsLimitAlreadyGrowsNoMore) {
  entry_.detachment->log_bytes = 3;
  files.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  const auto container = Leave();
  container->Emit("begun and ended");
  container->Exit(0);
  Recover();
  EXPECT_EQ(Ended().dropped_bytes, 10);
  EXPECT_EQ(files.Log(), "1:begun");
}

TEST_F(AdoptionEndTest, ALogThatIsAtItsLimitMissesNothingOfWhatTheEngineLost) {
  entry_.detachment->log_bytes = 5;
  files.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  const auto container = Leave();
  container->LoseLog();
  container->Exit(0);
  Recover();
  EXPECT_EQ(Ended().truncated, "LOG_LIMIT");
}

TEST_F(AdoptionEndTest, AnEngineThatHangsUpAmidTheRestOfItsLogIsAskedAgain) {
  engine.Set(Step::kReadLog, Way::kFailAfterwards);
  const auto container = Leave();
  container->Emit("some");
  container->Exit(0);
  Recover();
  Ended();
  EXPECT_EQ(trace.Count("engine:read log"), 2U);
}

TEST_F(AdoptionEndTest, OneWhoseDiskIsSlowHasAllOfItsLog) {
  files.StallLogs();
  const auto container = Leave();
  container->Emit("begun");
  container->Emit(" and ended");
  container->Exit(0);
  Recover();
  ASSERT_TRUE(Eventually([&] { return files.Log() == "1:begun"; }));
  files.ResumeLogs();
  EXPECT_EQ(Ended().truncated, "");
  EXPECT_EQ(files.Log(), "1:begun1: and ended");
}

}  // namespace
}  // namespace tidewaiter::testing
