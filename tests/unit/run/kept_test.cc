// What is kept of detached runs: by which process, how long, and under whose key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <utility>

#include "tests/support/adoption_world.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::system_clock;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = run::AuditEvent::Type;
using Way = FakeBackend::Way;

class KeptTest : public AdoptionWorld {
 protected:
  // Kept by a former process.
  void LeaveKept(system_clock::time_point ended_at = system_clock::now()) {
    run::KeptRun kept;
    kept.entry = entry_;
    kept.container_id = "cc";
    kept.outcome.kind = Kind::kExited;
    kept.ended_at = ended_at;
    kept.dropped_bytes = 9;
    kept.log_bytes = 5;
    kept.archive_bytes = 7;
    journal.LeaveKept(kept);
  }
  [[nodiscard]] run::KeptRun OfThePast() const {
    run::KeptRun kept;
    kept.entry = entry_;
    kept.outcome.kind = Kind::kExited;
    kept.log_bytes = 5;
    kept.archive_bytes = 7;
    return kept;
  }
  // Its retention is over when it is found.
  void LeaveExpired() {
    environment.settings.retention = hours(1);
    LeaveKept(system_clock::now() - hours(2));
  }
  [[nodiscard]] std::string Line(const std::string& what) const {
    return "remove kept run '" + entry_.run_id.value() + "': " + what;
  }
  void Load() { ASSERT_TRUE(registry().RecoverLeftovers()); }
  std::shared_ptr<run::DetachedRun> Found() {
    auto found = registry().FindDetached(entry_.run_id, Owner());
    return found ? *std::move(found) : nullptr;
  }
  std::size_t Runs() {
    const auto counts = registry().Count();
    return counts.active + counts.queued;
  }
};

TEST_F(KeptTest, ItSaysAllThatTheFormerProcessKnew) {
  LeaveKept();
  Load();
  const auto run = Found();
  ASSERT_NE(run, nullptr);
  const run::DetachedRun::State state = run->Get();
  ASSERT_TRUE(state.image);
  EXPECT_EQ(state.image->digest, "sha256:dd");
  EXPECT_EQ(state.container_id, "cc");
  EXPECT_EQ(state.log_bytes, 5U);
  EXPECT_EQ(state.dropped_bytes, 9);
  EXPECT_TRUE(state.receipt);
}

TEST_F(KeptTest, ItsRetentionGoesOnFromItsEndAcrossARestart) {
  environment.settings.retention = hours(1);
  LeaveKept(system_clock::now() - hours(2));
  Load();
  EXPECT_TRUE(trace.WaitFor("journal:remove kept"));
}

TEST_F(KeptTest, AClockThatWasSetBackMakesItsRetentionNoLonger) {
  environment.settings.retention = milliseconds(1);
  LeaveKept(system_clock::now() + hours(2));
  Load();
  EXPECT_TRUE(trace.WaitFor("journal:remove kept"));
}

TEST_F(KeptTest, WhatItHoldsCountsForItsPrincipalAfterARestart) {
  LeaveKept();
  Load();
  EXPECT_EQ(trace.Count("files:kept 12 of alice"), 1U);
}

TEST_F(KeptTest, WhatIsSetAsideAmongThemIsLoggedAndRecorded) {
  journal.SetAsideKept({.run_id = entry_.run_id, .what = "kept/x to set-aside/x: torn"});
  Load();
  const auto set_aside = audit.Of(Type::kJournalSetAside);
  ASSERT_THAT(set_aside, SizeIs(1));
  EXPECT_EQ(set_aside[0].run_id, entry_.run_id);
  EXPECT_TRUE(log.lines.WaitFor("recover kept runs: set aside"));
}

TEST_F(KeptTest, ARemovalThatFailsIsTriedAgainAndItsBytesCountUntilItSucceeds) {
  environment.settings.retention = milliseconds(1);
  journal.FailRemovals(1);
  LeaveKept();
  Load();
  ASSERT_TRUE(trace.WaitFor("files:forget"));
  EXPECT_EQ(trace.Count("journal:fail to remove kept"), 1U);
  EXPECT_LT(trace.Index("journal:remove kept"), trace.Index("files:forget"));
}

// What is removed is gone before the log says so, and what says that it is to be recorded stays
// until it is.
TEST_F(KeptTest, ItIsRecordedAfterItsFilesAreGoneAndBeforeItsDirectoryIs) {
  LeaveExpired();
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_LT(trace.Index("journal:remove kept"), trace.Index("audit:expired"));
  EXPECT_LT(trace.Index("audit:expired"), trace.Index("journal:forget kept"));
  EXPECT_EQ(audit.Of(Type::kRunExpired).at(0).run_id, entry_.run_id);
}

TEST_F(KeptTest, ItsDirectoryStaysUntilTheRecordIsOnDisk) {
  LeaveExpired();
  audit.Set(FakeAudit::Way::kHangs);
  Load();
  ASSERT_TRUE(Eventually([&] { return audit.CountWaiting(Type::kRunExpired) == 1; }));
  Restart();  // which ends the round
  EXPECT_EQ(journal.Marked(), 1U);
  audit.Repair();
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U) << "it was queued, and the log knows that";
}

TEST_F(KeptTest, ARecordThatTheLogHadNoRoomForIsMadeAgain) {
  environment.settings.reap_retry_max = milliseconds(1);
  LeaveExpired();
  audit.Drop(Type::kRunExpired, 2);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(trace.Count("audit:drop expired"), 2U);
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U);
}

TEST_F(KeptTest, ARecordThatIsQueuedForLongIsNotMadeAgain) {
  environment.settings.reap_retry_max = milliseconds(1);
  LeaveExpired();
  audit.Set(FakeAudit::Way::kHangs);
  Load();
  ASSERT_TRUE(Eventually([&] { return audit.Recalls() >= 2; }));
  EXPECT_EQ(journal.Marked(), 1U) << "until it is on disk";
  audit.Repair();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U);
}

TEST_F(KeptTest, OneThatCannotBeRemovedBeforeARestartIsRecordedOnce) {
  LeaveExpired();
  journal.FailRemovals(1000);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:fail to remove kept"));
  Restart();
  EXPECT_EQ(audit.Count(Type::kRunExpired), 0U);
  journal.FailRemovals(0);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U);
}

TEST_F(KeptTest, OneThatWasRecordedByAFormerProcessIsNotRecordedAgain) {
  LeaveExpired();
  journal.FailForgets(1000);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:fail to forget kept"));
  Restart();
  journal.FailForgets(0);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U);
}

TEST_F(KeptTest, OneWhoseRemovalWasBegunIsGivenToNobodyAndItsKeyIsFree) {
  journal.FailRemovals(1000);
  journal.LeaveMarked(OfThePast());
  environment.settings.retention = hours(1'000'000);
  Load();
  EXPECT_EQ(Found(), nullptr);
  EXPECT_EQ(trace.Count("files:kept 12 of alice"), 1U) << "its bytes are still there";
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  EXPECT_NE(begun->handle, nullptr);
  engine.WaitContainer();
}

// Whether or not the thread that removes has had its turn.
TEST_F(KeptTest, OneThatHasExpiredBeforeTheStartIsGivenToNobody) {
  journal.FailRemovals(1000);
  LeaveExpired();
  Load();
  EXPECT_EQ(Found(), nullptr);
}

TEST_F(KeptTest, OfTwoUnderOneKeyTheLaterOneHasIt) {
  // Found in the order of their ids.
  const std::pair<const char*, int> runs[] = {{"a", 1}, {"b", 0}, {"c", 2}};
  for (const auto& [run_id, minutes_ago] : runs) {
    entry_.run_id = RunId(run_id);
    LeaveKept(system_clock::now() - std::chrono::minutes(minutes_ago));
  }
  Load();
  EXPECT_EQ(Begin("k")->run->Get().run_id.value(), "b");
}

TEST_F(KeptTest, WhatAFormerReleaseHasRecordedAndNotMarkedIsNotRecordedAgain) {
  LeaveExpired();
  run::AuditEvent event;
  event.type = Type::kRunExpired;
  event.run_id = entry_.run_id;
  audit.AppendEventually(event);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_EQ(audit.Count(Type::kRunExpired), 1U);
}

TEST_F(KeptTest, ARemovalThatFailsIsCountedAndToldOnceUntilItSucceeds) {
  LeaveExpired();
  journal.FailRemovals(3);
  environment.settings.reap_retry_min = hours(1);
  environment.settings.reap_retry_max = hours(1);
  Load();
  ASSERT_TRUE(log.lines.WaitFor("remove kept run"));
  EXPECT_EQ(registry().Count().kept_overdue, 1U);
  const auto listed = registry().ListKept();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].run_id, entry_.run_id);
  EXPECT_TRUE(listed[0].expired);
  EXPECT_EQ(listed[0].failure, "busy");
  Restart();
  environment.settings.reap_retry_min = milliseconds(1);
  environment.settings.reap_retry_max = milliseconds(1);
  Load();
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_TRUE(Eventually([&] { return registry().ListKept().empty(); }));
  EXPECT_EQ(registry().Count().kept_overdue, 0U);
  EXPECT_EQ(trace.Count("journal:fail to remove kept"), 3U);
  EXPECT_EQ(log.lines.Count(Line("busy; tried until it succeeds")), 2U) << "of two processes";
  EXPECT_EQ(log.lines.Count(Line("done")), 1U);
  EXPECT_EQ(audit.Count(Type::kTeardownOverdue), 2U);
  EXPECT_EQ(audit.Count(Type::kTeardownSettled), 1U);
}

TEST_F(KeptTest, OneThatHasExpiredSaysSoToWhoeverReadsItAndFreesItsPlace) {
  environment.settings.retention = std::chrono::seconds(2);
  environment.settings.max_detached_per_principal = 1;
  LeaveKept();
  Load();
  const auto run = Found();
  ASSERT_NE(run, nullptr);
  EXPECT_FALSE(run->Expired());
  EXPECT_TRUE(Eventually([&] { return run->Expired(); }));
  EXPECT_TRUE(Eventually([&] { return Begin("other").has_value(); }));
}

TEST_F(KeptTest, AnAttachedRunOfAFormerProcessIsNone) {
  entry_.detachment.reset();
  journal.Leave(entry_);
  engine.Set(Step::kRemove, Way::kFail);
  Load();
  EXPECT_EQ(Found(), nullptr);
  engine.Set(Step::kRemove, Way::kSucceed);
}

// The key is taken again before the first run's thread has forgotten it.
TEST_F(KeptTest, AKeyThatWasTakenAgainStaysTaken) {
  const auto starter = std::make_shared<FakeObserver>();
  std::shared_ptr<run::DetachedRun> second;
  starter->WhenDone([&] { second = Begin("k")->run; });
  policy::RunSpec denied = Spec();
  denied.image = "ghcr.io/evil/x:1.0.0@sha256:" + std::string(64, 'a');
  denied.idempotency_key = "k";
  ASSERT_TRUE(registry().LaunchDetached({.caller = Alice(),
                                         .spec = std::move(denied),
                                         .with_stdin = false,
                                         .observer = starter,
                                         .uploads = nullptr}));
  engine.WaitContainer();
  ASSERT_TRUE(Eventually([&] { return Runs() == 1; }));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(Begin("k")->run, second);
}

TEST_F(KeptTest, AResultThatCannotBeWrittenIsWrittenBeforeTheLogKnowsOfTheEnd) {
  journal.FailConcludes(4);
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  engine.WaitContainer()->Exit(3);
  ASSERT_TRUE(Eventually([&] { return begun->run->Get().kept.has_value(); }));
  EXPECT_LT(trace.Index("journal:conclude"), trace.Index("audit:finished"));
  EXPECT_EQ(journal.Kept().at(0).outcome.exit_code, 3);
  ExpectNothingLeft();
}

TEST_F(KeptTest, OneThatFailedBeforeItsLaunchKeepsItsKey) {
  engine.Set(Step::kResolve, Way::kFail);
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(Eventually([&] { return begun->run->Get().kept.has_value(); }));
  EXPECT_EQ(begun->run->Get().outcome->kind, Kind::kFailed);
  EXPECT_EQ(Begin("k")->run, begun->run);
}

// The next broker is to know, too: the caller may ask again under its key.
TEST_F(KeptTest, OneThatTheBrokersEndKeptFromItsLaunchFreesItsKey) {
  engine.Set(Step::kResolve, Way::kHang);
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(trace.WaitFor("engine:resolve"));
  registry().Shutdown(Deadline::After({}));
  EXPECT_EQ(begun->run->Get().outcome->kind, Kind::kShutdown);
  ASSERT_THAT(journal.Kept(), SizeIs(1));
  EXPECT_EQ(journal.Kept().at(0).entry.detachment->idempotency_key, "");
  EXPECT_EQ(trace.Count("journal:update"), 1U);
  const auto closed = Begin("k");
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().Reason(), "SHUTTING_DOWN");
  engine.Set(Step::kResolve, Way::kSucceed);
  Restart();
  Load();
  const auto again = Begin("k");
  ASSERT_TRUE(again);
  EXPECT_NE(again->handle, nullptr);
}

TEST_F(KeptTest, WhatCouldNotBeRemovedAtOnceIsKeptWithAllThatIsKnownOfIt) {
  engine.Set(Step::kRemove, Way::kFail);
  entry_.detachment->outputs = {"results"};
  files.Leave("results", "tar");
  Leave()->Exit(0);
  Recover();
  ASSERT_TRUE(trace.WaitFor("audit:overdue"));
  engine.Set(Step::kRemove, Way::kSucceed);
  EXPECT_THAT(*Ended().kept, SizeIs(1));
  EXPECT_EQ(journal.Kept().at(0).container_id, container_.id);
  EXPECT_TRUE(journal.Kept().at(0).receipt.Complete());
}

// So that nobody takes what is not there any more for gone.
TEST_F(KeptTest, OneThatIsBeingRemovedSaysSo) {
  engine.Set(Step::kRemove, Way::kBlock);
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(trace.WaitFor("engine:remove"));
  const auto info = registry().Get(begun->run->Get().run_id, Owner());
  engine.Release();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->state, run::RunState::kTearingDown);
}

// Or a broker that finds it after a crash would keep it as lost.
TEST_F(KeptTest, OneThatNeverHadATurnIsDetachedNoMoreInItsJournal) {
  environment.settings.max_runs = 1;
  environment.settings.queue_timeout = milliseconds(20);
  ASSERT_TRUE(Begin("first"));
  engine.WaitContainer();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  const std::size_t updates = trace.Count("journal:update");
  const auto starter = std::make_shared<FakeObserver>();
  ASSERT_TRUE(Begin("second", starter));
  ASSERT_TRUE(starter->WaitDone());
  EXPECT_EQ(trace.Count("journal:update"), updates + 1);
}

}  // namespace
}  // namespace tidewaiter::testing
