// Runs that outlive whoever began them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <utility>

#include "broker/run/detached_run.h"
#include "tests/support/core_world.h"
#include "tests/support/eventually.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Type = run::AuditEvent::Type;

// The end of a run as Wait tells it.
class Ending final : public run::DetachedRun::Watcher {
 public:
  explicit Ending(std::shared_ptr<run::DetachedRun> run) : run_(std::move(run)) {}
  void OnChange() noexcept override { changes_.Add(run_->Get().done ? "done" : "change"); }
  bool Wait() { return run_->Get().done || changes_.WaitFor("done"); }

 private:
  const std::shared_ptr<run::DetachedRun> run_;
  FakeTrace changes_;
};

struct Detached {
  Client starter;
  std::shared_ptr<run::DetachedRun> run;

  bool Ended() const {
    const auto ending = std::make_shared<Ending>(run);
    run->Watch(ending, run::DetachedRun::Watcher::Of::kEnd);
    return ending->Wait();
  }
  run::DetachedRun::State State() const { return run->Get(); }
  RunId run_id() const { return run->Get().run_id; }
};

class DetachedTest : public ::testing::Test, public CoreWorld {
 protected:
  Detached Start(policy::RunSpec spec = Spec(), const run::Caller& caller = Alice()) {
    Detached begun;
    begun.starter.observer = std::make_shared<FakeObserver>();
    auto launched = registry().LaunchDetached({.caller = caller,
                                               .spec = std::move(spec),
                                               .with_stdin = false,
                                               .observer = begun.starter.observer,
                                               .uploads = nullptr});
    if (launched) {
      begun.starter.handle = std::move(launched->handle);
      begun.run = std::move(launched->run);
    } else {
      begun.starter.refusal = launched.error().Reason();
    }
    return begun;
  }
  static policy::RunSpec SpecWithOutput() {
    policy::RunSpec spec = Spec();
    spec.mounts.push_back(
        {.target = "/out", .read_only = false, .source = policy::OutputMount{"results"}});
    return spec;
  }
  // Of a former process.
  run::JournalEntry Entry() {
    run::JournalEntry entry;
    entry.run_id = RunId(RandomId());
    entry.broker_id = environment.broker_id;
    entry.backend = "docker";
    entry.caller = Alice();
    entry.detachment = run::Detachment();
    entry.detachment->idempotency_key = "k";
    return entry;
  }
  static policy::RunSpec Keyed(const std::string& key) {
    policy::RunSpec spec = Spec();
    spec.idempotency_key = key;
    return spec;
  }
  Detached Running(policy::RunSpec spec = Spec()) {
    Detached begun = Start(std::move(spec));
    EXPECT_TRUE(begun.starter->told().WaitFor("done"));
    return begun;
  }
  // Nothing of it is left but what is kept.
  void ExpectKept(const Detached& begun) {
    ASSERT_TRUE(begun.Ended());
    EXPECT_TRUE(begun.State().kept.has_value());
    ExpectNothingLeft();
    EXPECT_THAT(journal.Kept(), SizeIs(1));
  }
};

TEST_F(DetachedTest, ItsStarterIsToldUntilTheContainerHasStarted) {
  const Detached begun = Running();
  const auto container = engine.WaitContainer();
  EXPECT_THAT(begun.starter->told().All(),
              ::testing::ElementsAre("admitted", "progress", "started", "done"));
  EXPECT_FALSE(begun.State().done);
  container->Exit(0);
  ExpectKept(begun);
}

TEST_F(DetachedTest, AClientThatIsGoneStopsNothing) {
  const Detached begun = Running();
  begun.starter.Vanish();
  engine.WaitContainer()->Exit(7);
  ExpectKept(begun);
  EXPECT_EQ(begun.State().outcome->kind, Kind::kExited);
  EXPECT_EQ(begun.State().outcome->exit_code, 7);
  EXPECT_TRUE(begun.State().receipt->Complete());
}

TEST_F(DetachedTest, ItsOutputIsInItsLog) {
  const Detached begun = Running();
  const auto container = engine.WaitContainer();
  ASSERT_TRUE(container->Emit("out"));
  container->Exit(0);
  ExpectKept(begun);
  EXPECT_EQ(files.Log(), "1:out");
  EXPECT_EQ(begun.starter->output(), "");
}

TEST_F(DetachedTest, ItCanBeCancelled) {
  const Detached begun = Running();
  ASSERT_TRUE(registry().Cancel(begun.run_id(), Owner(), Alice()));
  ExpectKept(begun);
  EXPECT_EQ(begun.State().outcome->kind, Kind::kCancelled);
  EXPECT_THAT(*begun.State().kept, IsEmpty());
}

// The engine hangs over the start, and then over the removal.
TEST_F(DetachedTest, ACancelThatIsNotOnDiskYetIsInTheJournalAndNobodyIsToldTheOutcome) {
  engine.Set(FakeBackend::Step::kStart, FakeBackend::Way::kHang);
  engine.Set(FakeBackend::Step::kRemove, FakeBackend::Way::kBlock);
  const Detached begun = Start();
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  ASSERT_TRUE(registry().Cancel(begun.run_id(), Owner(), Alice()));
  ASSERT_TRUE(Eventually([&] {
    const auto entries = journal.Entries();
    return entries.size() == 1 && entries[0].detachment->cancelled_by == "alice";
  }));
  ASSERT_TRUE(trace.WaitFor("engine:remove"));
  EXPECT_FALSE(begun.State().outcome.has_value());
  engine.Release();
  ExpectKept(begun);
  EXPECT_EQ(begun.State().outcome->kind, Kind::kCancelled);
}

TEST_F(DetachedTest, ItsOutputsAreKeptAsArchivesAndSentToNobody) {
  files.Leave("results", "tar");
  const Detached begun = Running(SpecWithOutput());
  engine.WaitContainer()->Exit(0);
  ExpectKept(begun);
  ASSERT_THAT(*begun.State().kept, SizeIs(1));
  EXPECT_EQ(begun.State().kept->front().name, "results");
  EXPECT_EQ(begun.State().kept->front().error, "");
  EXPECT_EQ(files.Archive("results"), "tar");
  EXPECT_EQ(audit.Count(Type::kRunOutput), 1U);
  EXPECT_EQ(begun.starter->told().Count("piece results"), 0U);
}

TEST_F(DetachedTest, AnOutputThatCannotBeKeptSaysWhy) {
  files.FailOutputs();
  const Detached begun = Running(SpecWithOutput());
  engine.WaitContainer()->Exit(0);
  ExpectKept(begun);
  ASSERT_THAT(*begun.State().kept, SizeIs(1));
  EXPECT_THAT(begun.State().kept->front().error, HasSubstr("broken"));
  EXPECT_EQ(begun.State().outcome->kind, Kind::kExited);
}

TEST_F(DetachedTest, ALogThatCannotBeWrittenIsToldOfAlsoAfterARestart) {
  files.FailLogs();
  const Detached begun = Running();
  const RunId run_id = begun.run_id();
  engine.WaitContainer()->Exit(0);
  ExpectKept(begun);
  EXPECT_EQ(begun.State().truncated, "LOG_FAILED");
  EXPECT_EQ(begun.State().dropped_bytes, 3);
  Restart();
  ASSERT_TRUE(registry().RecoverLeftovers());
  const auto found = registry().FindDetached(run_id, Owner());
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->Get().truncated, "LOG_FAILED");
}

TEST_F(DetachedTest, OnePrincipalKeepsOnlySoMuch) {
  files.RefuseKept();
  const Detached begun = Start();
  ASSERT_TRUE(begun.Ended());
  EXPECT_EQ(begun.State().outcome->reason, "KEPT_QUOTA");
  EXPECT_EQ(trace.Count("engine:create"), 0U);
}

TEST_F(DetachedTest, HowItEndedIsOnDiskBeforeAnythingOfItGoesAndTheLogKnows) {
  const Detached begun = Running();
  engine.WaitContainer()->Exit(0);
  ExpectKept(begun);
  EXPECT_LT(trace.Index("journal:conclude"), trace.Index("engine:remove"));
  EXPECT_LT(trace.Index("journal:conclude"), trace.Index("audit:finished"));
}

TEST_F(DetachedTest, TheSameKeyIsTheSameRun) {
  const Detached first = Running(Keyed("k"));
  const Detached second = Start(Keyed("k"));
  EXPECT_EQ(second.run, first.run);
  EXPECT_EQ(second.starter.handle, nullptr);
  EXPECT_THAT(second.starter->told().All(), IsEmpty());
  engine.WaitContainer()->Exit(0);
  ExpectKept(first);
  EXPECT_EQ(Start(Keyed("k")).run, first.run);
  EXPECT_EQ(audit.Count(Type::kRunAdmitted), 1U);
}

TEST_F(DetachedTest, AKeyIsItsPrincipalsOwn) {
  const Detached alices = Running(Keyed("k"));
  const Detached bobs = Start(Keyed("k"), Bob());
  EXPECT_NE(bobs.run, alices.run);
  ASSERT_NE(bobs.starter.handle, nullptr);
  EXPECT_TRUE(bobs.starter->told().WaitFor("admitted"));
}

TEST_F(DetachedTest, ARunThatIsDeniedLeavesItsKeyFree) {
  policy::RunSpec denied = Keyed("k");
  denied.image = "ghcr.io/evil/x:1.0.0@sha256:" + std::string(64, 'a');
  const Detached first = Start(denied);
  ASSERT_TRUE(first.starter->WaitDone());
  EXPECT_THAT(first.starter->told().All(), ::testing::ElementsAre("denied", "done"));
  EXPECT_THAT(journal.Kept(), IsEmpty());
  ASSERT_TRUE(Eventually([&] { return Start(Keyed("k")).starter.handle != nullptr; }));
}

TEST_F(DetachedTest, ARunThatNeverHadATurnLeavesItsKeyFreeAndNothingKept) {
  environment.settings.max_runs = 1;
  environment.settings.queue_timeout = std::chrono::milliseconds(20);
  const Detached first = Running();
  const Detached second = Start(Keyed("k"));
  ASSERT_TRUE(second.starter->WaitDone());
  EXPECT_THAT(second.starter->told().All(), ::testing::Contains("refused NO_CAPACITY"));
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(first.Ended());
  EXPECT_THAT(journal.Kept(), SizeIs(1));
  ASSERT_TRUE(Eventually([&] { return Start(Keyed("k")).starter.handle != nullptr; }));
}

TEST_F(DetachedTest, OnlyItsOwnerAndOperatorsSeeIt) {
  const Detached begun = Running();
  EXPECT_TRUE(registry().FindDetached(begun.run_id(), Owner()));
  EXPECT_TRUE(registry().FindDetached(begun.run_id(), Operator()));
  const auto foreign =
      registry().FindDetached(begun.run_id(), {.principal = "bob", .operate = false});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().Reason(), "RUN_NOT_FOUND");
}

TEST_F(DetachedTest, AnAttachedRunIsNone) {
  const Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  EXPECT_FALSE(registry().FindDetached(*client->run_id(), Owner()));
}

TEST_F(DetachedTest, WhatIsKeptGoesWhenItsRetentionIsOver) {
  environment.settings.retention = std::chrono::milliseconds(1);
  const Detached begun = Running(Keyed("k"));
  const RunId run_id = begun.run_id();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(trace.WaitFor("journal:forget kept"));
  EXPECT_THAT(journal.Kept(), IsEmpty());
  EXPECT_EQ(audit.Of(Type::kRunExpired).at(0).run_id, run_id);
  EXPECT_FALSE(registry().FindDetached(run_id, Owner()));
  EXPECT_NE(Start(Keyed("k")).starter.handle, nullptr);
}

TEST_F(DetachedTest, WhatCannotBeKeptYetIsKeptByTheReaper) {
  const Detached begun = Running();
  journal.FailCloses(2);
  engine.WaitContainer()->Exit(3);
  ASSERT_TRUE(trace.WaitFor("journal:keep"));
  ASSERT_TRUE(Eventually([&] { return begun.State().kept.has_value(); }));
  EXPECT_EQ(journal.Kept().at(0).outcome.exit_code, 3);
  ExpectNothingLeft();
}

TEST_F(DetachedTest, APrincipalHasSoManyOfThemAndNoMore) {
  environment.settings.max_detached_per_principal = 1;
  const Detached first = Running();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(first.Ended());
  EXPECT_EQ(Start().starter.refusal, "NO_CAPACITY");
  EXPECT_NE(Start(Spec(), Bob()).starter.handle, nullptr);
}

TEST_F(DetachedTest, OneThatGoesOnWhileTheDiskFillsUpIsStopped) {
  const Detached begun = Running();
  files.FillDisk();
  ASSERT_TRUE(begun.Ended());
  EXPECT_EQ(begun.State().outcome->reason, "DISK_LOW");
}

TEST_F(DetachedTest, AFullDiskTakesNoDetachedRun) {
  files.FillDisk();
  const Detached begun = Start();
  ASSERT_TRUE(begun.Ended());
  EXPECT_EQ(begun.State().outcome->reason, "DISK_LOW");
}

TEST_F(DetachedTest, WhatIsKeptIsThereAfterARestart) {
  const Detached begun = Running(Keyed("k"));
  const RunId run_id = begun.run_id();
  engine.WaitContainer()->Exit(9);
  ASSERT_TRUE(begun.Ended());
  Restart();
  ASSERT_TRUE(registry().RecoverLeftovers());
  const auto found = registry().FindDetached(run_id, Owner());
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->Get().outcome->exit_code, 9);
  EXPECT_EQ(Start(Keyed("k")).run, *found);
}

TEST_F(DetachedTest, OneThatACrashEndedIsLostAndSaysSo) {
  run::JournalEntry entry = Entry();
  entry.detachment->launch = run::Launch::Now();
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers());
  auto found = registry().FindDetached(entry.run_id, Owner());
  ASSERT_TRUE(found);
  ASSERT_TRUE(Eventually([&] { return (*found)->Get().kept.has_value(); }));
  EXPECT_EQ((*found)->Get().outcome->kind, Kind::kLost);
  EXPECT_EQ(Start(Keyed("k")).run, *found);
}

TEST_F(DetachedTest, OneThatHadEndedBeforeTheCrashKeepsItsResult) {
  run::KeptRun ended;
  ended.entry = Entry();
  ended.outcome = {.kind = Kind::kExited,
                   .exit_code = 5,
                   .oom_killed = false,
                   .message = {},
                   .reason = {},
                   .duration = {}};
  ended.outputs = {{.name = "results", .summary = {}, .error = {}}};
  journal.LeaveResult(ended);
  ASSERT_TRUE(registry().RecoverLeftovers());
  const auto found = registry().FindDetached(ended.entry.run_id, Owner());
  ASSERT_TRUE(found);
  ASSERT_TRUE(Eventually([&] { return (*found)->Get().kept.has_value(); }));
  EXPECT_EQ((*found)->Get().outcome->exit_code, 5);
  EXPECT_THAT(*(*found)->Get().kept, SizeIs(1));
  const auto finished = audit.Of(Type::kRunFinished);
  ASSERT_THAT(finished, SizeIs(1));
  EXPECT_EQ(finished[0].outcome->exit_code, 5);
}

TEST_F(DetachedTest, OneThatWasNeverAdmittedLeavesItsKeyFree) {
  run::JournalEntry entry = Entry();
  entry.log_mark = audit.Mark();  // so the log is sure
  journal.Leave(entry);
  ASSERT_TRUE(registry().RecoverLeftovers());
  ASSERT_TRUE(Eventually([&] { return journal.Entries().empty(); }));
  EXPECT_FALSE(registry().FindDetached(entry.run_id, Owner()));
  EXPECT_THAT(journal.Kept(), IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::testing
