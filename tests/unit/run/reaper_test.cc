// What a run or a former process could not finish, and strays on the engine.
#include "broker/run/reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = FakeAudit::Type;
using Way = FakeBackend::Way;

class Reaping : public ::testing::Test, public CoreWorld {
 public:
  // A run of a former process: on the engine, in the journal, and in the log as far as told.
  run::JournalEntry LeaveRun(bool admitted, bool finished) {
    run::JournalEntry entry;
    entry.run_id = RunId(RandomId());
    entry.broker_id = environment.broker_id;
    entry.backend = "docker";
    entry.caller = Alice();
    entry.requested_image = "team/job:1.2.3";
    entry.image = "ghcr.io/team/job:1.2.3";
    entry.resolved = {.digest = "sha256:dd", .image_id = "sha256:ii"};
    entry.log_mark = audit.Mark();
    entry.resources = {
        {.kind = run::Resource::Kind::kContainer, .name = "tw-" + entry.run_id.value(), .id = ""}};
    engine.Plant(
        {.kind = run::Resource::Kind::kContainer, .name = "tw-" + entry.run_id.value(), .id = "x"},
        entry.run_id);
    journal.Leave(entry);
    run::AuditEvent event;
    event.run_id = entry.run_id;
    event.type = Type::kRunAdmitted;
    if (admitted) audit.AppendEventually(event);
    event.type = Type::kRunFinished;
    if (finished) audit.AppendEventually(event);
    return entry;
  }
};

TEST_F(Reaping, OverdueRemovalIsRetriedUntilItSucceeds) {
  engine.FailNext(Step::kRemove, 4);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_FALSE(client->receipt()->Complete());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_EQ(trace.Count("engine:remove"), 5U);
  EXPECT_LT(trace.Index("audit:finished"), trace.Index("audit:overdue"));
  ExpectNothingLeft();
}

TEST_F(Reaping, OverdueRunIsListedAsSuchAndFreesItsSlot) {
  environment.settings.max_runs = 1;
  engine.Set(Step::kRemove, Way::kFail);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ASSERT_TRUE(trace.WaitFor("audit:overdue"));
  Client next = Launch();
  ASSERT_TRUE(next->told().WaitFor("started"));
  const auto info = registry().Get(*client->run_id(), Owner());
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->state, run::RunState::kOverdue);
  EXPECT_TRUE(registry().Cancel(*client->run_id(), Owner(), Alice()).has_value());
  EXPECT_EQ(registry().Count().overdue, 1U);
}

TEST_F(Reaping, HangingRemovalEndsAtTheTeardownDeadline) {
  environment.settings.teardown_timeout = std::chrono::milliseconds(30);
  engine.Set(Step::kRemove, Way::kHang);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_FALSE(client->receipt()->Complete());
  engine.Set(Step::kRemove, Way::kSucceed);
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  ExpectNothingLeft();
}

TEST_F(Reaping, TooManyOverdueRemovalsStopAdmissions) {
  environment.settings.max_runs = 1;
  environment.settings.max_queued = 0;
  engine.Set(Step::kRemove, Way::kFail);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(Launch().refusal, "NO_CAPACITY");
}

TEST_F(Reaping, LogThatFailsAtTheEndDelaysTheDirectoryAndNotTheTeardown) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  audit.Set(FakeAudit::Way::kFails);
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(engine.Existing(), IsEmpty());
  EXPECT_FALSE(client->receipt()->Complete());
  EXPECT_THAT(journal.Entries(), SizeIs(1));
  audit.Repair();
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ExpectNothingLeft();
}

TEST_F(Reaping, DirectoryThatCannotBeRemovedIsRetried) {
  journal.FailCloses(3);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_FALSE(client->receipt()->Complete());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  ASSERT_THAT(audit.Of(Type::kTeardownOverdue), SizeIs(1));
  EXPECT_THAT(audit.Of(Type::kTeardownOverdue)[0].detail, HasSubstr("run-directory"));
  EXPECT_THAT(audit.Of(Type::kTeardownOverdue)[0].detail, HasSubstr("busy"));
  ExpectNothingLeft();
}

TEST_F(Reaping, LeftoverIsRemovedAndRecordedAsLost) {
  const run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  const auto finished = audit.Of(Type::kRunFinished);
  ASSERT_THAT(finished, SizeIs(1));
  EXPECT_EQ(finished[0].run_id, entry.run_id);
  EXPECT_EQ(finished[0].outcome->kind, Kind::kLost);
  EXPECT_EQ(finished[0].caller, Alice());
  EXPECT_EQ(finished[0].requested_image, "team/job:1.2.3");
  EXPECT_EQ(finished[0].resolved, entry.resolved);
  ASSERT_THAT(finished[0].receipt->removals, SizeIs(1));
  EXPECT_TRUE(finished[0].receipt->Complete());
  ExpectNothingLeft();
}

TEST_F(Reaping, LeftoverWhoseEndIsRecordedIsNotRecordedTwice) {
  LeaveRun(/*admitted=*/true, /*finished=*/true);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ExpectNothingLeft();
}

TEST_F(Reaping, LeftoverThatTheLogNeverAdmittedGetsNoRecord) {
  LeaveRun(/*admitted=*/false, /*finished=*/false);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ExpectNothingLeft(0);
}

TEST_F(Reaping, LeftoverWhoseAdmissionMayHaveBeenMovedAwayIsRecordedAsLostOnce) {
  const run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  audit.MoveAway();
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  const auto finished = audit.Of(Type::kRunFinished);
  ASSERT_THAT(finished, SizeIs(1));
  EXPECT_EQ(finished[0].run_id, entry.run_id);
  EXPECT_EQ(finished[0].outcome->kind, Kind::kLost);
  EXPECT_THAT(finished[0].detail, HasSubstr("moved away"));
}

TEST_F(Reaping, RunKeepsInItsDirectoryWhichPartOfTheLogWasWritten) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  EXPECT_EQ(journal.Entries().at(0).log_mark, audit.Mark());
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
}

TEST_F(Reaping, LeftoverThatCannotBeRemovedYetIsRecordedOnceAndSettledLater) {
  LeaveRun(/*admitted=*/true, /*finished=*/false);
  engine.FailNext(Step::kRemove, 3);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_FALSE(audit.Of(Type::kRunFinished).at(0).receipt->Complete());
  ExpectNothingLeft();
}

TEST_F(Reaping, OverdueRunOfAFormerProcessIsFinishedByTheNext) {
  engine.Set(Step::kRemove, Way::kFail);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ASSERT_TRUE(trace.WaitFor("journal:update", 2));
  Restart();
  ASSERT_THAT(journal.Entries(), SizeIs(1));
  EXPECT_TRUE(journal.Entries()[0].finished_recorded);
  engine.Set(Step::kRemove, Way::kSucceed);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  ExpectNothingLeft();
}

TEST_F(Reaping, LeftoverOfABackendThatIsOffStaysOverdueAndSaysSo) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.backend = "kubernetes";
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:overdue"));
  EXPECT_THAT(audit.Of(Type::kTeardownOverdue).at(0).detail,
              HasSubstr("backend 'kubernetes' is not configured"));
  EXPECT_EQ(audit.Count(Type::kRunFinished), 1U);
  EXPECT_EQ(registry().Count().overdue, 1U);
}

TEST_F(Reaping, DirectoryThatWasSetAsideIsLoggedAndRecorded) {
  journal.SetAside({.run_id = RunId(), .what = "abc: torn"});
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(log.lines.Count("recover leftovers: set aside 'abc: torn'"), 1U);
  ASSERT_THAT(audit.Of(Type::kJournalSetAside), SizeIs(1));
  EXPECT_EQ(audit.Of(Type::kJournalSetAside)[0].detail, "abc: torn");
  EXPECT_EQ(registry().Count().overdue, 0U);
}

TEST_F(Reaping, RunWhoseDirectoryWasSetAsideGetsItsEndWhereTheLogAdmittedIt) {
  run::AuditEvent admitted;
  admitted.type = Type::kRunAdmitted;
  admitted.run_id = RunId(RandomId());
  audit.AppendEventually(admitted);
  journal.SetAside({.run_id = admitted.run_id, .what = "torn"});
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:finished"));
  const auto finished = audit.Of(Type::kRunFinished);
  EXPECT_EQ(finished.at(0).run_id, admitted.run_id);
  EXPECT_EQ(finished.at(0).outcome->kind, Kind::kLost);
  EXPECT_FALSE(finished.at(0).receipt->Complete());
}

// It may be another broker's, whose log is another.
TEST_F(Reaping, RunWhoseDirectoryWasSetAsideGetsNoEndWhereTheLogDoesNotKnowIt) {
  journal.SetAside({.run_id = RunId(RandomId()), .what = "foreign"});
  audit.MoveAway();
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(log.lines.WaitFor("settle run"));
  EXPECT_EQ(audit.Count(Type::kRunFinished), 0U);
}

TEST_F(Reaping, BackendThatDoesNotAnswerIsAskedForOneRunOnlyAndAllAreRecorded) {
  environment.settings.reap_retry_min = environment.settings.reap_retry_max = std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) LeaveRun(/*admitted=*/true, /*finished=*/false);
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:overdue", 3));
  EXPECT_LE(trace.Count("engine:remove"), 2U);
  EXPECT_EQ(audit.Count(Type::kRunFinished), 3U);
}

TEST_F(Reaping, RunThatWaitsForTheLogOnlyIsNotHeldUpByAHangingRemoval) {
  const run::JournalEntry stuck = LeaveRun(/*admitted=*/true, /*finished=*/true);
  run::JournalEntry gone = LeaveRun(/*admitted=*/true, /*finished=*/true);
  gone.resources.clear();
  gone.finished_recorded = true;
  journal.Leave(gone);
  engine.Set(Step::kRemove, Way::kBlock);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(log.lines.WaitFor("settle run '" + gone.run_id.value() + "'"));
  EXPECT_THAT(journal.Entries(), SizeIs(1));
  engine.Release();
  ASSERT_TRUE(log.lines.WaitFor("settle run '" + stuck.run_id.value() + "'"));
}

// One that always takes all its time must not make the others wait for ever.
TEST_F(Reaping, RunThatWasPassedOverGetsItsTurn) {
  for (int i = 0; i < 2; ++i) LeaveRun(/*admitted=*/true, /*finished=*/false);
  const RunId stuck = journal.Entries().at(0).run_id;
  engine.HangRemovalsOf(stuck);
  environment.settings.teardown_timeout = std::chrono::milliseconds(5);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ASSERT_THAT(journal.Entries(), SizeIs(1));
  EXPECT_EQ(journal.Entries()[0].run_id, stuck);
}

TEST_F(Reaping, DirectoryKnowsTheImageOnceItIsResolved) {
  policy::RunSpec spec = Spec();
  Client client = Launch(spec);
  ASSERT_TRUE(client->told().WaitFor("started"));
  const run::JournalEntry entry = journal.Entries().at(0);
  EXPECT_EQ(entry.requested_image, spec.image);
  EXPECT_NE(entry.resolved.image_id, "");
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
}

TEST_F(Reaping, EntryOfAnotherBrokerIsLeftAlone) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.broker_id = BrokerId("another");
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
  EXPECT_THAT(engine.Existing(), SizeIs(1));
}

TEST_F(Reaping, RunningRunIsNoLeftover) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ExpectNothingLeft();
}

TEST_F(Reaping, JournalThatCannotBeReadIsTold) {
  LeaveRun(/*admitted=*/true, /*finished=*/false);
  journal.FailLoads(1);
  EXPECT_FALSE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
}

TEST_F(Reaping, StrayIsRemovedAtTheSecondComparisonAndNotAtTheFirst) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  engine.Plant({.kind = run::Resource::Kind::kContainer, .name = "stray", .id = "s"},
               RunId("unknown"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_THAT(engine.Existing(), IsEmpty());
  const auto all = trace.All();
  EXPECT_THAT(std::vector<std::string>(all.begin(), all.begin() + 3),
              ElementsAre("engine:list", "engine:list", "engine:remove container"));
}

TEST_F(Reaping, ResourcesOfActiveAndOverdueRunsAreNoStrays) {
  environment.settings.reap_interval = std::chrono::milliseconds(2);
  environment.settings.reap_retry_min = std::chrono::hours(1);
  environment.settings.reap_retry_max = std::chrono::hours(1);
  engine.FailNext(Step::kRemove, 2);
  Client overdue = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(overdue->WaitDone());
  Client running = Launch();
  ASSERT_TRUE(running->told().WaitFor("started"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 6));
  EXPECT_THAT(engine.Existing(), SizeIs(2));
}

TEST_F(Reaping, NothingIsComparedBeforeTheJournalIsRead) {
  environment.settings.reap_interval = std::chrono::milliseconds(1);
  engine.Plant({.kind = run::Resource::Kind::kContainer, .name = "stray", .id = "s"},
               RunId("unknown"));
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  registry().Shutdown(Deadline::Never());
  EXPECT_EQ(trace.Count("engine:list"), 0U);
}

}  // namespace
}  // namespace tidewaiter::testing
