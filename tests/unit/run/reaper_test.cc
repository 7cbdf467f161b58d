// What a run or a former process could not finish, and strays on the engine.
#include "broker/run/reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/reaping_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = FakeAudit::Type;
using Way = FakeBackend::Way;

class Reaping : public ReapingWorld {
 protected:
  void EndARun() {
    const Client client = Launch();
    engine.WaitContainer()->Exit(0);
    ASSERT_TRUE(client->WaitDone());
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

TEST_F(Reaping, RunKeepsInItsDirectoryWhichPartOfTheLogWasWritten) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  EXPECT_EQ(journal.Entries().at(0).log_mark, audit.Mark());
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
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

TEST_F(Reaping, RemovalThatHangsAmidARoundDoesNotHoldUpTheRoundsOthers) {
  environment.settings.teardown_timeout = std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) {
    run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/true);
    entry.finished_recorded = true;
    journal.Leave(entry);
  }
  const RunId stuck = journal.Entries().at(1).run_id;
  engine.HangRemovalsOf(stuck);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_TRUE(trace.WaitFor("journal:close", 2));
  EXPECT_THAT(journal.Entries(), ElementsAre(Field(&run::JournalEntry::run_id, stuck)));
  engine.Release();
  ASSERT_TRUE(trace.WaitFor("journal:close", 3));
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

TEST_F(Reaping, NothingIsMadeForARunWhoseImageCannotBeNoted) {
  journal.FailUpdates(1);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kFailed);
  EXPECT_THAT(client->outcome()->message, HasSubstr("write the entry: full"));
  EXPECT_EQ(trace.Count("engine:create"), 0U);
}

TEST_F(Reaping, StrayOfAFormerProcessIsRemovedAtOnce) {
  engine.Plant({.kind = run::Resource::Kind::kContainer, .name = "stray", .id = "s"},
               RunId("unknown"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_THAT(engine.Existing(), IsEmpty());
  EXPECT_THAT(trace.All(), ElementsAre("engine:list", "engine:remove container", "audit:settled"));
}

// One that has ended meanwhile may have been what the listing showed.
TEST_F(Reaping, WhereRunsHaveBegunEvenTheFirstComparisonListsTwice) {
  EndARun();
  PlantStray("stray");
  const std::size_t listed = trace.Count("engine:list");
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_EQ(trace.Count("engine:list"), listed + 2);
}

TEST_F(Reaping, LaterStrayIsRemovedAtTheSecondComparisonAndNotAtTheFirst) {
  // Long enough for the second one to be planted before the next listing begins.
  environment.settings.reap_interval = std::chrono::seconds(1);
  PlantStray("of a former process");
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));  // no listing is under way
  const std::size_t before = trace.Count("engine:list");
  PlantStray("later");
  ASSERT_TRUE(trace.WaitFor("audit:settled", 2));
  EXPECT_THAT(engine.Existing(), IsEmpty());
  EXPECT_GE(trace.Count("engine:list"), before + 2);
}

TEST_F(Reaping, StrayIsNotRemovedWhereTheSecondListingFails) {
  EndARun();
  PlantStray("stray");
  engine.FailNext(Step::kList, 1, /*spared=*/1);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(log.lines.WaitFor("compare what backend 'docker' holds"));  // when it is over
  EXPECT_EQ(trace.Count("engine:remove"), 1U) << "the run's own alone";
}

TEST_F(Reaping, StrayThatWouldNotGoIsRecordedOverdueOnce) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  PlantStray("stray");
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:remove", 3));
  engine.Set(Step::kRemove, Way::kSucceed);
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_EQ(trace.Count("audit:overdue"), 1U);
}

TEST_F(Reaping, StrayThatHangsDoesNotHoldUpTheOthers) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  environment.settings.teardown_timeout = std::chrono::hours(1);
  for (const char* name : {"a", "b", "c"}) PlantStray(name);
  engine.HangRemovalsOf(RunId("b"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_TRUE(trace.WaitFor("audit:settled", 2));
  EXPECT_THAT(engine.Existing(), ElementsAre("b"));
  engine.Release();
  ASSERT_TRUE(trace.WaitFor("audit:settled", 3));
}

TEST_F(Reaping, BackendThatDoesNotAnswerIsAskedForOneStrayInAComparison) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  for (int i = 0; i < 40; ++i) PlantStray("stray" + std::to_string(i));
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 4));
  // Counted first: each comparison lists before it removes.
  const std::size_t removals = trace.Count("engine:remove");
  EXPECT_LE(removals, trace.Count("engine:list"));
}

TEST_F(Reaping, StrayThatWouldNotGoIsCountedUntilItHasGone) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  PlantStray("stray");
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 4));
  EXPECT_EQ(registry().Count().strays, 1U);
  EXPECT_EQ(registry().Count().overdue, 0U);
  engine.Set(Step::kRemove, Way::kSucceed);
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  ASSERT_TRUE(trace.WaitFor("engine:list", trace.Count("engine:list") + 2));
  EXPECT_EQ(registry().Count().strays, 0U);
}

TEST_F(Reaping, StraysOfABackendThatDoesNotAnswerAreStillCounted) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  PlantStray("stray");
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:list", 4));
  engine.Set(Step::kList, Way::kFail);
  ASSERT_TRUE(trace.WaitFor("engine:list", trace.Count("engine:list") + 2));
  EXPECT_EQ(registry().Count().strays, 1U);
}

TEST_F(Reaping, NetworkIsRemovedAfterTheContainersInIt) {
  environment.settings.reap_interval = std::chrono::milliseconds(5);
  engine.Plant({.kind = run::Resource::Kind::kNetwork, .name = "a", .id = "a"}, RunId("a"));
  for (const char* name : {"b", "c"}) PlantStray(name);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("engine:remove network"));
  EXPECT_EQ(trace.Count("engine:remove container"), 2U);
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
