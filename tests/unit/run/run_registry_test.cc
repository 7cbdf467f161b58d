// Who sees and cancels which run, and how the broker shuts down.
#include "broker/run/run_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;
using Way = FakeBackend::Way;

class Registry : public ::testing::Test, public CoreWorld {};

TEST_F(Registry, ListsOnlyTheViewersOwnRuns) {
  Client mine = Launch();
  Client theirs = Launch(Spec(), Bob());
  ASSERT_TRUE(mine->told().WaitFor("started"));
  ASSERT_TRUE(theirs->told().WaitFor("started"));
  const auto listed = registry().List(Owner());
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].run_id, mine->run_id());
  EXPECT_EQ(listed[0].state, run::RunState::kRunning);
  EXPECT_TRUE(listed[0].started_at.has_value());
  EXPECT_FALSE(listed[0].container_id.empty());
}

TEST_F(Registry, OperatorSeesEveryRunInTheOrderOfAdmission) {
  Client first = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  Client second = Launch(Spec(), Bob());
  ASSERT_TRUE(second->told().WaitFor("started"));
  const auto listed = registry().List(Operator());
  ASSERT_THAT(listed, SizeIs(2));
  EXPECT_EQ(listed[0].run_id, first->run_id());
  EXPECT_EQ(listed[1].run_id, second->run_id());
}

TEST_F(Registry, ForeignRunIsNotFound) {
  Client theirs = Launch(Spec(), Bob());
  ASSERT_TRUE(theirs->told().WaitFor("started"));
  const RunId run_id = *theirs->run_id();
  EXPECT_EQ(registry().Get(run_id, Owner()).error().Reason(), "RUN_NOT_FOUND");
  EXPECT_EQ(registry().Cancel(run_id, Owner(), Alice()).error().Reason(), "RUN_NOT_FOUND");
  EXPECT_EQ(registry().Get(run_id, Owner()).error(),
            registry().Get(run_id, {.principal = "nobody", .operate = false}).error());
  EXPECT_EQ(theirs->told().Count("outcome"), 0U);
}

TEST_F(Registry, OperatorsCancelIsRecordedUnderTheOperator) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const run::Caller ops{.uid = 0, .gid = 0, .pid = 9, .principal = "ops"};
  ASSERT_TRUE(registry().Cancel(*client->run_id(), Operator(), ops).has_value());
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kCancelled);
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunCancelled).at(0).caller, ops);
}

TEST_F(Registry, SecondCancelSucceedsWithoutEffect) {
  engine.Set(Step::kSignal, Way::kBlock);
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  const RunId run_id = *client->run_id();
  ASSERT_TRUE(registry().Cancel(run_id, Owner(), Alice()).has_value());
  ASSERT_TRUE(registry().Cancel(run_id, Owner(), Alice()).has_value());
  engine.Release();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunCancelled), 1U);
}

TEST_F(Registry, CancelDuringTeardownIsNotRecorded) {
  engine.Set(Step::kRemove, Way::kBlock);
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(trace.WaitFor("engine:remove"));
  ASSERT_TRUE(registry().Cancel(*client->run_id(), Owner(), Alice()).has_value());
  engine.Release();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunCancelled), 0U);
  EXPECT_EQ(client->outcome()->kind, Kind::kExited);
}

TEST_F(Registry, FinishedRunIsForgotten) {
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  registry().Shutdown(Deadline::Never());
  EXPECT_THAT(registry().List(Operator()), IsEmpty());
}

TEST_F(Registry, HandleOutlivesItsRunAndItsRegistry) {
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  Restart();
  client.Cancel();
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunCancelled), 0U);
}

TEST_F(Registry, ShutdownLetsRunsEndByThemselvesUntilTheDrainIsOver) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  std::size_t stopped = 99;
  std::thread daemon([&] { stopped = registry().Shutdown(Deadline::Never()).stopped; });
  engine.WaitContainer()->Exit(5);
  daemon.join();
  EXPECT_EQ(stopped, 0U);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_EQ(client->outcome()->kind, Kind::kExited);
  ExpectNothingLeft();
}

TEST_F(Registry, ShutdownStopsWhatOutlastsTheDrainAndWaitsForItsTeardown) {
  Client first = Launch();
  Client second = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  ASSERT_TRUE(second->told().WaitFor("started"));
  EXPECT_EQ(registry().Shutdown(Deadline::After(std::chrono::milliseconds(10))).stopped, 2U);
  EXPECT_EQ(first->outcome()->kind, Kind::kShutdown);
  EXPECT_EQ(second->outcome()->kind, Kind::kShutdown);
  ExpectNothingLeft(2);
}

TEST_F(Registry, ShutdownStopsQueuedRunsAtOnce) {
  environment.settings.max_runs = 1;
  Client first = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  Client queued = Launch();
  ASSERT_TRUE(queued->told().WaitFor("queued"));
  std::thread daemon([&] { registry().Shutdown(Deadline::Never()); });
  ASSERT_TRUE(queued->WaitDone());
  EXPECT_EQ(queued->outcome()->kind, Kind::kShutdown);
  engine.WaitContainer()->Exit(0);
  daemon.join();
  ExpectNothingLeft(2);
}

TEST_F(Registry, SecondShutdownSkipsTheDrainOfTheFirst) {
  Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  std::thread draining([&] { registry().Shutdown(Deadline::Never()); });
  EXPECT_EQ(registry().Shutdown(Deadline::After({})).stopped, 1U);
  draining.join();
  EXPECT_EQ(client->outcome()->kind, Kind::kShutdown);
}

TEST_F(Registry, NothingIsAdmittedAfterShutdown) {
  registry().Shutdown(Deadline::After({}));
  EXPECT_EQ(Launch().refusal, "SHUTTING_DOWN");
}

}  // namespace
}  // namespace tidewaiter::testing
