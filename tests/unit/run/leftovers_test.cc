// What a former process left: its runs in the journal, and directories that cannot be believed.
#include "broker/run/reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/reaping_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Type = FakeAudit::Type;
using Way = FakeBackend::Way;

class Leftovers : public ReapingWorld {};

TEST_F(Leftovers, LeftoverIsRemovedAndRecordedAsLost) {
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

TEST_F(Leftovers, WhatALeftoverKnowsByItsNameOnlyMayStillComeAndWhatItKnowsByItsIdDoesNot) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.resources = {
      {.kind = run::Resource::Kind::kNetwork, .name = "tw-known", .id = std::string(64, 'a')},
      {.kind = run::Resource::Kind::kContainer, .name = "tw-asked-for", .id = ""}};
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_THAT(engine.Expected(), ::testing::ElementsAre(::testing::Key("tw-asked-for")));
}

TEST_F(Leftovers, WhatALeftoverHadNoImageForIsNotExpected) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.resolved = {};
  entry.resources = {{.kind = run::Resource::Kind::kContainer, .name = "tw-never", .id = ""}};
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_THAT(engine.Expected(), IsEmpty());
}

TEST_F(Leftovers, WhatALeftoverHadAskedForIsExpectedFromItsFirstRecoveryOn) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.resources = {{.kind = run::Resource::Kind::kContainer, .name = "tw-asked-for", .id = ""}};
  journal.Leave(entry);
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:update"));
  ASSERT_TRUE(journal.Entries().at(0).left_at.has_value());
  Restart();
  run::JournalEntry left = journal.Entries().at(0);
  left.left_at->since_boot -= std::chrono::minutes(1);
  journal.Leave(left);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_GE(engine.Expected().at("tw-asked-for"), std::chrono::minutes(1));
}

TEST_F(Leftovers, TheFirstRecoveryOfOneWhoseEndIsRecordedIsNoted) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/true);
  entry.finished_recorded = true;
  journal.Leave(entry);
  engine.Set(Step::kRemove, Way::kFail);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_TRUE(journal.Entries().at(0).left_at.has_value());
}

TEST_F(Leftovers, LeftoverWhoseEndIsRecordedIsNotRecordedTwice) {
  LeaveRun(/*admitted=*/true, /*finished=*/true);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ExpectNothingLeft();
}

TEST_F(Leftovers, LeftoverThatTheLogNeverAdmittedGetsNoRecord) {
  LeaveRun(/*admitted=*/false, /*finished=*/false);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  ExpectNothingLeft(0);
}

TEST_F(Leftovers, LeftoverWhoseAdmissionMayHaveBeenMovedAwayIsRecordedAsLostOnce) {
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

TEST_F(Leftovers, LeftoverThatCannotBeRemovedYetIsRecordedOnceAndSettledLater) {
  LeaveRun(/*admitted=*/true, /*finished=*/false);
  engine.FailNext(Step::kRemove, 3);
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(trace.WaitFor("audit:settled"));
  EXPECT_FALSE(audit.Of(Type::kRunFinished).at(0).receipt->Complete());
  ExpectNothingLeft();
}

TEST_F(Leftovers, OverdueRunOfAFormerProcessIsFinishedByTheNext) {
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

TEST_F(Leftovers, LeftoverOfABackendThatIsOffStaysOverdueAndSaysSo) {
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

TEST_F(Leftovers, DirectoryThatWasSetAsideIsLoggedAndRecorded) {
  journal.SetAside({.run_id = RunId(), .what = "abc: torn"});
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(log.lines.Count("recover leftovers: set aside 'abc: torn'"), 1U);
  ASSERT_THAT(audit.Of(Type::kJournalSetAside), SizeIs(1));
  EXPECT_EQ(audit.Of(Type::kJournalSetAside)[0].detail, "abc: torn");
  EXPECT_EQ(registry().Count().overdue, 0U);
}

TEST_F(Leftovers, RunWhoseDirectoryWasSetAsideGetsItsEndWhereTheLogAdmittedIt) {
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
// It is there still, and the next start looks at it again.
TEST_F(Leftovers, RunWhoseDirectoryCouldNotBeSetAsideGetsNoEnd) {
  journal.SetAside({.run_id = RunId(RandomId()), .what = "runs/x: cannot move it", .moved = false});
  ASSERT_TRUE(registry().RecoverLeftovers());
  EXPECT_EQ(audit.Count(Type::kJournalSetAside), 1U);
  EXPECT_THAT(registry().List(Operator()), IsEmpty());
}

TEST_F(Leftovers, RunWhoseDirectoryWasSetAsideGetsNoEndWhereTheLogDoesNotKnowIt) {
  journal.SetAside({.run_id = RunId(RandomId()), .what = "foreign"});
  audit.MoveAway();
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  ASSERT_TRUE(log.lines.WaitFor("settle run"));
  EXPECT_EQ(audit.Count(Type::kRunFinished), 0U);
}

TEST_F(Leftovers, LeftoverThatCannotBeRemovedIsListedForItsOwner) {
  engine.Set(Step::kRemove, Way::kFail);
  const run::JournalEntry entry = LeaveRun(true, false);
  ASSERT_TRUE(registry().RecoverLeftovers());
  const auto info = registry().Get(entry.run_id, Owner());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->state, run::RunState::kOverdue);
  EXPECT_FALSE(registry().Get(entry.run_id, {.principal = "bob", .operate = false}));
  engine.Set(Step::kRemove, Way::kSucceed);
  ASSERT_TRUE(trace.WaitFor("journal:close"));
}

TEST_F(Leftovers, EntryOfAnotherBrokerIsLeftAlone) {
  run::JournalEntry entry = LeaveRun(/*admitted=*/true, /*finished=*/false);
  entry.broker_id = BrokerId("another");
  journal.Leave(entry);
  engine.Set(Step::kList, Way::kFail);  // else it goes as a stray: this engine knows one broker
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
  EXPECT_THAT(engine.Existing(), SizeIs(1));
}

TEST_F(Leftovers, RunningRunIsNoLeftover) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  ASSERT_TRUE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ExpectNothingLeft();
}

TEST_F(Leftovers, JournalThatCannotBeReadIsTold) {
  LeaveRun(/*admitted=*/true, /*finished=*/false);
  journal.FailLoads(1);
  EXPECT_FALSE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(registry().Count().overdue, 0U);
}

TEST_F(Leftovers, NothingIsMovedAwayBeforeTheKeptRunsHaveBeenRead) {
  journal.FailKeptLoads(1);
  EXPECT_FALSE(registry().RecoverLeftovers().has_value());
  EXPECT_EQ(journal.loads(), 0);
}

}  // namespace
}  // namespace tidewaiter::testing
