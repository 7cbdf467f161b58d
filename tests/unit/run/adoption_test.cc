// Detached runs that outlive their broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "tests/support/adoption_world.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = run::AuditEvent::Type;
using Way = FakeBackend::Way;

class AdoptionTest : public AdoptionWorld {};

TEST_F(AdoptionTest, ARunThatRunsOnEndsAsItselfAndNotAsLost) {
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  EXPECT_FALSE(run_->Get().done);
  EXPECT_EQ(registry().Get(entry_.run_id, Owner())->state, run::RunState::kRunning);
  container->Exit(7);
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kExited);
  EXPECT_EQ(state.outcome->exit_code, 7);
  EXPECT_TRUE(state.receipt->Complete());
  const auto adopted = audit.Of(Type::kRunAdopted);
  ASSERT_THAT(adopted, SizeIs(1));
  EXPECT_EQ(adopted[0].run_id, entry_.run_id);
  EXPECT_FALSE(adopted[0].container_id.empty());
}

TEST_F(AdoptionTest, OneThatEndedWhileThereWasNoBrokerKeepsItsStatus) {
  const auto container = Leave();
  const auto started = std::chrono::system_clock::now() - minutes(5);
  entry_.detachment->launch->since_boot -= minutes(5);
  container->SetTimes(started, started + milliseconds(1234));
  container->Exit(3);
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kExited);
  EXPECT_EQ(state.outcome->exit_code, 3);
  EXPECT_EQ(state.outcome->duration, milliseconds(1234));
}

TEST_F(AdoptionTest, OneThatEndedAfterItsTimeoutWhileThereWasNoBrokerIsTimedOut) {
  const auto container = Leave();
  const auto started = std::chrono::system_clock::now() - minutes(30);
  entry_.detachment->launch->since_boot -= minutes(30);
  container->SetTimes(started, started + minutes(11));
  container->Exit(0);
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kTimedOut);
}

TEST_F(AdoptionTest, OneWhoseTimeoutPassedWhileThereWasNoBrokerIsStoppedAtOnce) {
  entry_.detachment->launch->since_boot -= minutes(11);
  Leave();
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kTimedOut);
}

TEST_F(AdoptionTest, ItsTimeoutGoesOnFromItsLaunch) {
  entry_.detachment->launch->since_boot -= minutes(10) - milliseconds(50);
  Leave();
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kTimedOut);
}

TEST_F(AdoptionTest, ItsLogGoesOnWhereItEnded) {
  files.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  const auto container = Leave();
  container->Emit("begun");
  container->Emit(" and ended");
  Recover();
  container->Exit(0);
  Ended();
  EXPECT_EQ(files.Log(), "1:begun1: and ended");
}

TEST_F(AdoptionTest, ItsLogGrowsWhileItRuns) {
  const auto container = Leave();
  container->Emit("begun");
  Recover();
  EXPECT_TRUE(Eventually([&] { return files.Log() == "1:begun"; }));
  container->Exit(0);
  Ended();
}

TEST_F(AdoptionTest, ItsLogIsCutAtItsLimitWithWhatWasThereBefore) {
  entry_.detachment->log_bytes = 8;
  files.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  const auto container = Leave();
  container->Emit("begun and ended");
  Recover();
  container->Exit(0);
  const auto state = Ended();
  EXPECT_EQ(files.Log(), "1:begun1: an");
  EXPECT_EQ(state.truncated, "LOG_LIMIT");
  EXPECT_EQ(state.dropped_bytes, 7);
}

TEST_F(AdoptionTest, AnEngineThatLostTheLogIsToldOf) {
  const auto container = Leave();
  container->LoseLog();
  Recover();
  container->Exit(0);
  const auto state = Ended();
  EXPECT_EQ(state.truncated, "ENGINE_STREAM_LOST");
  EXPECT_EQ(state.outcome->kind, Kind::kExited);
}

TEST_F(AdoptionTest, ItsOutputsAreKept) {
  entry_.detachment->outputs = {"results"};
  files.Leave("results", "tar");
  const auto container = Leave();
  Recover();
  container->Exit(0);
  const auto state = Ended();
  ASSERT_THAT(*state.kept, SizeIs(1));
  EXPECT_EQ(files.Archive("results"), "tar");
}

TEST_F(AdoptionTest, ItCanBeCancelled) {
  Leave();
  Recover();
  ASSERT_TRUE(registry().Cancel(entry_.run_id, Owner(), Alice()));
  EXPECT_EQ(Ended().outcome->kind, Kind::kCancelled);
  EXPECT_EQ(audit.Count(Type::kRunCancelled), 1U);
}

TEST_F(AdoptionTest, OneThatWasCancelledAmidTheStopIsStoppedAsThat) {
  entry_.detachment->cancelled_by = "bob";
  Leave();
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kCancelled);
  EXPECT_THAT(state.outcome->message, HasSubstr("bob"));
  EXPECT_EQ(state.outcome->exit_code, 128 + SIGTERM);
  EXPECT_EQ(audit.Count(Type::kRunCancelled), 0U);  // the former broker's
}

TEST_F(AdoptionTest, OneThatWasCancelledAndEndedMeanwhileIsCancelled) {
  entry_.detachment->cancelled_by = "bob";
  Leave()->Exit(0);
  Recover();
  const auto state = Ended();
  EXPECT_EQ(state.outcome->kind, Kind::kCancelled);
  EXPECT_EQ(state.outcome->exit_code, 0);
}

TEST_F(AdoptionTest, WhoCancelsIsInTheJournalWhileTheContainerIsBeingStopped) {
  engine.IgnoreSignal(SIGTERM);
  environment.settings.stop_grace = std::chrono::hours(1);
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(registry().Cancel(entry_.run_id, Owner(), Alice()));
  EXPECT_TRUE(Eventually([&] {
    const auto entries = journal.Entries();
    return entries.size() == 1 && entries[0].detachment->cancelled_by == "alice";
  }));
  container->Exit(0);
  Ended();
}

TEST_F(AdoptionTest, OneWhoseContainerSomebodyRemovedIsLost) {
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kLost);
  EXPECT_THAT(Words(), HasSubstr("there is none"));
}

TEST_F(AdoptionTest, WhatIsNotItsOwnUnderItsNameIsLeftAlone) {
  engine.Leave(container_, RunId(RandomId()));
  engine.Set(Step::kList, Way::kFail);  // else it goes as a stray
  journal.Leave(entry_);
  ASSERT_TRUE(registry().RecoverLeftovers());
  ASSERT_TRUE(Eventually([&] { return journal.Entries().empty(); }));
  EXPECT_EQ(journal.Kept().at(0).outcome.kind, Kind::kLost);
  EXPECT_THAT(engine.Existing(), SizeIs(1));
}

// The former broker died between the note of the launch and the engine's answer.
TEST_F(AdoptionTest, OneThatWasMadeAndNotStartedIsStarted) {
  entry_.detachment->launch->since_boot -= minutes(11);  // its time begins anew
  const auto container = Leave(false);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionTest, OneThatCouldNotBeStartedIsLostAndSaysWhy) {
  Leave(false)->FailStart("no such runtime");
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kLost);
  EXPECT_THAT(Words(), HasSubstr("no such runtime"));
}

TEST_F(AdoptionTest, AnEngineThatDoesNotAnswerIsAskedAgain) {
  engine.FailNext(Step::kAdopt, 3);
  const auto container = Leave();
  Recover();
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionTest, ServingDoesNotWaitForAnEngineThatHangs) {
  engine.Set(Step::kAdopt, Way::kHang);
  Leave();
  Recover();
  const Client client = Launch();
  EXPECT_TRUE(client->told().WaitFor("started"));
  engine.WaitContainer(1)->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ASSERT_TRUE(registry().Cancel(entry_.run_id, Owner(), Alice()));
  ASSERT_TRUE(Eventually([&] { return run_->Done(); }));
  EXPECT_EQ(run_->Get().outcome->kind, Kind::kCancelled);
}

TEST_F(AdoptionTest, TheBrokersEndLeavesItToTheNextOne) {
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  EXPECT_EQ(registry().Shutdown(Deadline::Never()).left, 1U);
  EXPECT_THAT(engine.Existing(), SizeIs(1));
  EXPECT_THAT(journal.Entries(), SizeIs(1));
  EXPECT_EQ(audit.Count(Type::kRunFinished), 0U);
  run_.reset();
  Restart();
  Recover();
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionTest, TheBrokersEndLeavesARunThatItBeganItself) {
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  const auto container = engine.WaitContainer();
  ASSERT_TRUE(trace.WaitFor("audit:started"));
  const RunId run_id = begun->run->Get().run_id;
  const auto ended = registry().Shutdown(Deadline::Never());
  EXPECT_EQ(ended.left, 1U);
  EXPECT_EQ(ended.stopped, 0U);
  EXPECT_EQ(audit.Count(Type::kRunFinished), 0U);
  Restart();
  ASSERT_TRUE(registry().RecoverLeftovers());
  auto found = registry().FindDetached(run_id, Owner());
  ASSERT_TRUE(found);
  run_ = *std::move(found);
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionTest, WhatIsLeftIsNoStrayAndIsKnownWhileTheBrokerGoesOn) {
  environment.settings.reap_interval = milliseconds(1);
  Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  const Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  std::thread daemon([&] { registry().Shutdown(Deadline::Never()); });
  ASSERT_TRUE(log.lines.WaitFor("run '" + entry_.run_id.value() + "' of 'alice': goes on"));
  const std::size_t compared = trace.Count("engine:list");
  ASSERT_TRUE(trace.WaitFor("engine:list", compared + 4));
  EXPECT_TRUE(registry().Get(entry_.run_id, Owner()));
  const auto cancelled = registry().Cancel(entry_.run_id, Owner(), Alice());
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().Reason(), "SHUTTING_DOWN");
  EXPECT_THAT(engine.Existing(), ::testing::Contains(container_.name));
  engine.WaitContainer(1)->Exit(0);
  daemon.join();
  EXPECT_THAT(engine.Existing(), ::testing::ElementsAre(container_.name));
}

TEST_F(AdoptionTest, WhatItHasSaidCanBeReadBeforeTheEngineAnswers) {
  files.LeaveLog("1:begun", {.stdout_bytes = 5, .stderr_bytes = 0});
  engine.Set(Step::kAdopt, Way::kHang);
  Leave();
  Recover();
  EXPECT_EQ(run_->Get().log_bytes, 7U);
}

// A start that an engine fails is tried again once it has been asked what has come of it.
TEST_F(AdoptionTest, AStartThatFailsIsTriedAgain) {
  engine.FailNext(Step::kStart, 2);
  const auto container = Leave(false);
  Recover();
  ASSERT_TRUE(trace.WaitFor("engine:start", 3));
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

TEST_F(AdoptionTest, AClockThatWasSetForwardTimesNothingOut) {
  const auto container = Leave();
  const auto started = std::chrono::system_clock::now();
  container->SetTimes(started, started + minutes(100));
  container->Exit(3);
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kExited);
}

TEST_F(AdoptionTest, NobodyWaitsForARemovalThatHangs) {
  run::KeptRun ended;
  ended.entry = entry_;
  ended.outcome.kind = Kind::kExited;
  ended.outcome.exit_code = 7;
  journal.LeaveResult(ended);
  engine.Set(Step::kRemove, Way::kFail);
  Leave();
  ASSERT_TRUE(registry().RecoverLeftovers());
  run_ = *registry().FindDetached(entry_.run_id, Owner());
  ASSERT_TRUE(Eventually([&] { return run_->Done(); }));
  EXPECT_EQ(run_->Get().outcome->exit_code, 7);
  EXPECT_FALSE(run_->Get().receipt->Complete());
  EXPECT_FALSE(run_->Get().kept.has_value());
  engine.Set(Step::kRemove, Way::kSucceed);
  EXPECT_TRUE(Ended().receipt->Complete());
}

// It may be begun again under its key; this one says so.
TEST_F(AdoptionTest, OneThatWasNeverLaunchedIsLostAndItsKeyFree) {
  entry_.detachment->launch.reset();
  Leave(false);
  Recover();
  EXPECT_EQ(Ended().outcome->kind, Kind::kLost);
  const auto again = Begin("k");
  ASSERT_TRUE(again);
  EXPECT_NE(again->handle, nullptr);
  engine.WaitContainer(1)->Exit(0);
  EXPECT_TRUE(Eventually([&] { return again->run->Done(); }));
}

TEST_F(AdoptionTest, ALaunchIsOnDiskBeforeTheEngineStartsAnything) {
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  const auto container = engine.WaitContainer();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  const auto entries = journal.Entries();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_TRUE(entries[0].detachment->launch.has_value());
  EXPECT_FALSE(entries[0].resources.back().id.empty());
  const auto all = trace.All();
  const auto start = std::find(all.begin(), all.end(), "engine:start");
  EXPECT_EQ(std::count(all.begin(), start, "journal:update"), 2);  // the image, the launch
  container->Exit(0);
  EXPECT_TRUE(Eventually([&] { return begun->run->Done(); }));
}

TEST(LaunchTest, OfAnotherBootOnlyTheWallClockCounts) {
  run::Launch launch = run::Launch::Now();
  run::Launch now = launch;
  now.since_boot += minutes(3);
  now.at -= minutes(99);  // somebody has set it
  EXPECT_EQ(launch.Elapsed(now), minutes(3));
  now.boot_id = "another";
  EXPECT_EQ(launch.Elapsed(now), milliseconds::zero());
  now.at = launch.at + minutes(5);
  EXPECT_EQ(launch.Elapsed(now), minutes(5));
  launch.boot_id = now.boot_id = "";  // nobody knows of which
  EXPECT_EQ(launch.Elapsed(now), minutes(5));
}

}  // namespace
}  // namespace tidewaiter::testing
