// What an engine itself makes to run a detached run's command, as a cluster its pods: which one it
// is outlives the broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "broker/run/entry_notes.h"
#include "tests/support/adoption_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = run::Outcome::Kind;
using Step = FakeBackend::Step;

class RunnerTest : public AdoptionWorld {
 protected:
  RunnerTest() {
    engine.MakePods();
    entry_.resources = {pods_, container_};
  }
  // The id of the only run's, as the journal has it.
  [[nodiscard]] std::string Noted() const {
    const auto entries = journal.Entries();
    return entries.size() == 1 ? run::RunnerOf(entries[0])
                               : std::to_string(entries.size()) + " entries";
  }
  void Left() {
    ASSERT_EQ(registry().Shutdown(Deadline::Never()).left, 1U);
    run_.reset();
    Restart();
  }

  // What the journal has of it is adopted.
  void Find(const RunId& run_id) {
    ASSERT_TRUE(registry().RecoverLeftovers());
    auto found = registry().FindDetached(run_id, Owner());
    ASSERT_TRUE(found);
    run_ = *std::move(found);
    ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  }

  const run::Resource pods_{.kind = run::Resource::Kind::kPod, .name = "pods", .id = ""};
};

TEST_F(RunnerTest, IsOnDiskBeforeAnybodyIsToldThatTheContainerHasStarted) {
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(trace.WaitFor("audit:started"));
  EXPECT_EQ(Noted(), FakeBackend::kPod);
  const auto all = trace.All();
  const auto start = std::find(all.begin(), all.end(), "engine:start");
  EXPECT_LT(std::find(start, all.end(), "journal:update"),
            std::find(start, all.end(), "audit:started"));
  engine.WaitContainer()->Exit(0);
  EXPECT_TRUE(Eventually([&] { return begun->run->Done(); }));
}

TEST_F(RunnerTest, IsWhatTheNextBrokerLooksFor) {
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(trace.WaitFor("audit:started"));
  const RunId run_id = begun->run->Get().run_id;
  const auto container = engine.WaitContainer();
  Left();
  Find(run_id);
  EXPECT_THAT(engine.ExpectedRunners(), ElementsAre(FakeBackend::kPod));
  container->Exit(7);
  EXPECT_EQ(Ended().outcome->exit_code, 7);
}

// Its broker died between the start and the note of it, or amid the start.
TEST_F(RunnerTest, IsNotedByTheFirstBrokerThatFindsIt) {
  for (const bool started : {true, false}) {
    entry_.run_id = RunId(RandomId());
    const auto container = Leave(started);
    Recover();
    ASSERT_TRUE(Eventually([&] { return Noted() == FakeBackend::kPod; }));
    EXPECT_THAT(engine.ExpectedRunners().back(), IsEmpty());
    Left();
    Find(entry_.run_id);
    EXPECT_EQ(engine.ExpectedRunners().back(), FakeBackend::kPod);
    container->Exit(7);
    ASSERT_TRUE(Eventually([&] { return run_->Get().kept.has_value(); }));
    EXPECT_EQ(run_->Get().outcome->exit_code, 7);
  }
}

TEST_F(RunnerTest, IsNotWrittenAgainWhereItIsKnown) {
  entry_.resources[0].id = FakeBackend::kPod;
  const auto container = Leave();
  Recover();
  ASSERT_TRUE(Eventually([&] { return run_->Get().image.has_value(); }));
  EXPECT_EQ(trace.Count("journal:update"), 0U);
  container->Exit(0);
  Ended();
}

TEST_F(RunnerTest, ThatCannotBeWrittenEndsNoRun) {
  engine.Set(Step::kStart, FakeBackend::Way::kBlock);
  const auto begun = Begin("k");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  journal.FailUpdates(1);
  engine.Release();
  ASSERT_TRUE(trace.WaitFor("audit:started"));
  EXPECT_EQ(Noted(), "");
  EXPECT_THAT(log.lines.All(),
              ::testing::Contains(::testing::HasSubstr("note which pod runs it: write the entry")));
  engine.WaitContainer()->Exit(7);
  ASSERT_TRUE(Eventually([&] { return begun->run->Done(); }));
  EXPECT_EQ(begun->run->Get().outcome->kind, Kind::kExited);
  EXPECT_EQ(begun->run->Get().outcome->exit_code, 7);
}

// It is stopped in time all the same, and who has called it off is written after that.
TEST_F(RunnerTest, OnADiskThatHangsHoldsNoStopUp) {
  const auto container = Leave();
  journal.HangUpdates();
  Recover();
  ASSERT_TRUE(trace.WaitFor("journal:hang"));
  ASSERT_TRUE(registry().Cancel(entry_.run_id, Owner(), Alice()));
  EXPECT_TRUE(trace.WaitFor("engine:signal 15"));
  EXPECT_TRUE(trace.WaitFor("engine:remove container"));
  EXPECT_EQ(trace.Count("journal:update"), 0U);
  journal.ReleaseUpdates();
  EXPECT_EQ(Ended().outcome->kind, Kind::kCancelled);
  EXPECT_EQ(trace.Count("journal:update"), 2U);
}

TEST_F(RunnerTest, OfAStartThatIsGivenUpIsNotedForTheNextBroker) {
  engine.StartsUnheard();
  engine.Set(Step::kStart, FakeBackend::Way::kHang);
  ASSERT_TRUE(Begin("k"));
  ASSERT_TRUE(trace.WaitFor("engine:start"));
  ASSERT_EQ(registry().Shutdown(Deadline::After({})).left, 1U);
  EXPECT_EQ(Noted(), FakeBackend::kPod);
}

TEST_F(RunnerTest, OfARunThatEndsWithItsStreamIsNotWritten) {
  const Client client = Launch();
  ASSERT_TRUE(client->told().WaitFor("started"));
  EXPECT_EQ(Noted(), "");
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
}

// A command that has begun may be begun again as long as the Job is there.
TEST_F(RunnerTest, ThatIsKnownDoesNotKeepAnotherOneFromBeingExpected) {
  entry_.resources[0].id = FakeBackend::kPod;
  // These were all there before the launch.
  entry_.resources.push_back({.kind = run::Resource::Kind::kSecrets, .name = "secrets", .id = {}});
  const auto container = Leave();
  Recover();
  EXPECT_EQ(engine.Expected().count("pods"), 1U);
  EXPECT_EQ(engine.Expected().count(container_.name), 0U);
  EXPECT_EQ(engine.Expected().count("secrets"), 0U);
  container->Exit(0);
  Ended();
}

}  // namespace
}  // namespace tidewaiter::testing
