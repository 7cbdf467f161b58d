#include "broker/kubernetes/run_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;
using ::testing::HasSubstr;

class RunWatcherTest : public ClusterTest {
 protected:
  RunWatcherTest() : watcher_(std::make_unique<RunWatcher>(api_, settings_)) {
    EXPECT_TRUE(watcher_->WaitUntilFollowing(Soon()).has_value());
  }
  void Track(RunWatcher::PodCheck check = {}, bool outlasts = false) {
    tracked_ = watcher_->Track(RunId("r"), std::move(check), outlasts);
    tracked_->BelongTo("j1");
  }
  void TrackExpected() {
    tracked_ = watcher_->Track(RunId("r"), {}, true, "u1");
    tracked_->BelongTo("j1");
  }
  void SayPod(const std::string& type, const std::string& status = "{}") {
    cluster_.Say("pods", Event(type, Object("r", "u1", std::to_string(++version_), status)));
  }
  std::optional<run::ContainerExit> Exit() { return tracked_->exited().Wait({}, Soon().deadline); }
  std::string LostAs() {
    const auto exit = Exit();
    if (!exit) return "no end";
    return exit->lost ? std::string(exit->lost->Reason()) : "not lost";
  }
  void SayJob(const std::string& status) {
    cluster_.Say("jobs", Event("MODIFIED", Object("r", "j1", std::to_string(++version_), status)));
  }
  // Of a Job that has ended, once its pods were asked for.
  std::string LostAsAsked() {
    EXPECT_TRUE(Eventually([&] { return tracked_->ended_without_pod(); }));
    EXPECT_TRUE(watcher_->AskForPods(RunId("r"), {}, Soon()).has_value());
    return LostAs();
  }
  bool WaitPod() {
    return Eventually([&] { return tracked_->pod().has_value(); });
  }
  bool StaysOpen() { return !tracked_->exited().Wait({}, Deadline::After(milliseconds(300))); }

  int version_ = 100;
  std::unique_ptr<RunWatcher> watcher_;
  std::unique_ptr<RunWatcher::Tracked> tracked_;
};

TEST_F(RunWatcherTest, TwoWatchesAreEnoughForAHundredRuns) {
  std::vector<std::unique_ptr<RunWatcher::Tracked>> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(watcher_->Track(RunId("r" + std::to_string(i)), {}, false));
    all.back()->BelongTo("j1");
  }
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    cluster_.Say("pods", Event("ADDED", Object("r" + number, "u" + number, std::to_string(1000 + i),
                                               Ended(i))));
  }
  for (std::size_t i = 0; i < 100; ++i) {
    const auto exit = all[i]->exited().Wait({}, Soon().deadline);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->exit_code, static_cast<int>(i));
  }
  EXPECT_EQ(cluster_.Watches(), 2U);
  EXPECT_EQ(cluster_.http().requests().size(), 2U);  // a list for each
}

TEST_F(RunWatcherTest, PodIsSeenAndItsEndIsTheRuns) {
  Track();
  SayPod("ADDED", R"({"phase":"Pending"})");
  ASSERT_TRUE(WaitPod());
  EXPECT_EQ(tracked_->pod()->phase, "Pending");
  EXPECT_TRUE(StaysOpen());
  SayPod("MODIFIED", Ended(3));
  EXPECT_EQ(Exit()->exit_code, 3);
}

TEST_F(RunWatcherTest, PodOfAnotherRunIsNot) {
  Track();
  cluster_.Say("pods", Event("ADDED", Object("other", "u9", "5", Ended(1))));
  EXPECT_TRUE(StaysOpen());
}

TEST_F(RunWatcherTest, PodThatIsNotWhatWasAdmittedEndsTheRun) {
  int checks = 0;
  Track([&](const Json&) -> Result<void> {
    ++checks;
    return Fail(ErrorCode::kFailedPrecondition, "a sidecar", "ENGINE_DIFFERS");
  });
  SayPod("ADDED", Ended(0));
  EXPECT_EQ(LostAs(), "ENGINE_DIFFERS");
  EXPECT_EQ(checks, 1);
}

TEST_F(RunWatcherTest, PodThatGoesBehindTheBrokersBackIsLost) {
  Track();
  SayPod("ADDED");
  SayPod("DELETED");
  EXPECT_EQ(LostAs(), "CONTAINER_LOST");
}

TEST_F(RunWatcherTest, PodThatGoesAsExpectedWasKilled) {
  Track();
  SayPod("ADDED");
  ASSERT_TRUE(WaitPod());
  tracked_->ExpectKill();
  SayPod("DELETED");
  const auto exit = Exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 137);
  EXPECT_FALSE(exit->lost.has_value());
}

TEST_F(RunWatcherTest, LastStateComesWithTheDeletion) {
  Track();
  tracked_->ExpectKill();
  SayPod("ADDED");
  SayPod("DELETED", Ended(143));
  EXPECT_EQ(Exit()->exit_code, 143);
}

TEST_F(RunWatcherTest, PodThatIsMissingFromANewListIsGone) {
  Track();
  SayPod("ADDED");
  ASSERT_TRUE(WaitPod());
  cluster_.SetList("pods", "200", "");
  cluster_.Say("pods", Event("ERROR", kGone));
  EXPECT_EQ(LostAs(), "CONTAINER_LOST");
  EXPECT_TRUE(watcher_->SawGo(RunId("r"), kPods));
}

TEST_F(RunWatcherTest, PodThatIsStillInANewListIsNot) {
  Track();
  SayPod("ADDED");
  ASSERT_TRUE(WaitPod());
  cluster_.SetList("pods", "200", Object("r", "u1", "150"));
  cluster_.Say("pods", Event("ERROR", kGone));
  ASSERT_NE(cluster_.WatchUrl("pods", 2), "");
  EXPECT_TRUE(StaysOpen());
  EXPECT_FALSE(watcher_->SawGo(RunId("r"), kPods));
}

TEST_F(RunWatcherTest, EndMissedByACutWatchIsFoundInTheNewList) {
  Track();
  SayPod("ADDED");
  ASSERT_TRUE(WaitPod());
  cluster_.SetList("pods", "200", Object("r", "u1", "150", Ended(5)));
  cluster_.Say("pods", "garbage");
  EXPECT_EQ(Exit()->exit_code, 5);
}

TEST_F(RunWatcherTest, JobThatFailsWithoutAPodIsLost) {
  Track();
  SayJob(R"({"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded",)"
         R"("message":"m"}]})");
  EXPECT_EQ(LostAsAsked(), "JOB_FAILED");
  EXPECT_THAT(Exit()->lost->message, HasSubstr("BackoffLimitExceeded: m"));
}

TEST_F(RunWatcherTest, JobPastItsDeadlineIsNamed) {
  Track();
  SayJob(R"({"conditions":[{"type":"Failed","status":"True","reason":"DeadlineExceeded"}]})");
  EXPECT_EQ(LostAsAsked(), "JOB_DEADLINE_EXCEEDED");
}

TEST_F(RunWatcherTest, JobThatIsCompleteWithoutAPodIsLost) {
  Track();
  SayJob(R"({"conditions":[{"type":"Complete","status":"True"}]})");
  EXPECT_EQ(LostAsAsked(), "JOB_FAILED");
}

// The two watches tell in any order.
TEST_F(RunWatcherTest, EndOfAJobIsNotBelievedBeforeItsPodsWereAskedFor) {
  Track();
  SayJob(R"({"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]})");
  ASSERT_TRUE(Eventually([&] { return tracked_->ended_without_pod(); }));
  EXPECT_TRUE(StaysOpen());
  cluster_.SetList("pods", "200", Object("r", "u1", "150", Ended(5)));
  ASSERT_TRUE(watcher_->AskForPods(RunId("r"), {}, Soon()).has_value());
  EXPECT_EQ(Exit()->exit_code, 5);
  EXPECT_FALSE(tracked_->ended_without_pod());
}

TEST_F(RunWatcherTest, PodThatIsAskedForIsCompared) {
  Track();
  cluster_.SetList("pods", "200", Object("r", "u1", "150", Ended(5)));
  const auto differs = [](const Json&) -> Result<void> {
    return Fail(ErrorCode::kFailedPrecondition, "a sidecar", "ENGINE_DIFFERS");
  };
  ASSERT_TRUE(watcher_->AskForPods(RunId("r"), differs, Soon()).has_value());
  EXPECT_EQ(LostAs(), "ENGINE_DIFFERS");
}

TEST_F(RunWatcherTest, JobThatHasNotFailedIsNot) {
  Track();
  SayJob(R"({"conditions":[{"type":"Failed","status":"False"}]})");
  EXPECT_FALSE(Eventually(milliseconds(300), [&] { return tracked_->ended_without_pod(); }));
  EXPECT_TRUE(StaysOpen());
}

TEST_F(RunWatcherTest, LongSilenceLosesTheRunsThatDoNotOutlastIt) {
  Track();
  const auto lasting = watcher_->Track(RunId("detached"), {}, true);
  cluster_.Refuse("pods", Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED"));
  cluster_.Cut("pods");
  EXPECT_TRUE(StaysOpen());  // 300 ms of 400
  EXPECT_EQ(LostAs(), "ENGINE_UNAVAILABLE");
  EXPECT_FALSE(lasting->exited().Peek().has_value());
}

TEST_F(RunWatcherTest, ShortSilenceLosesNothing) {
  Track();
  for (std::size_t i = 0; i < 4; ++i) {
    cluster_.Cut("pods");
    ASSERT_NE(cluster_.WatchUrl("pods", 2 + i), "");
  }
  EXPECT_TRUE(StaysOpen());
}

TEST_F(RunWatcherTest, JobsEndIsWaitedFor) {
  const RunId run("r");
  cluster_.Say("jobs", Event("ADDED", Object("r", "j1", "7")));
  ASSERT_TRUE(Eventually([&] { return watcher_->Shows(run, kJobs); }));
  const run::Patience short_one{.stop = {}, .deadline = Deadline::After(milliseconds(50))};
  EXPECT_FALSE(watcher_->WaitUntilGone(run, kJobs, short_one));
  cluster_.Say("jobs", Event("DELETED", Object("r", "j1", "8")));
  EXPECT_TRUE(watcher_->WaitUntilGone(run, kJobs, Soon()));
  EXPECT_FALSE(watcher_->Shows(run, kJobs));
}

TEST_F(RunWatcherTest, PodsGoWithTheLastOne) {
  const RunId run("r");
  EXPECT_FALSE(watcher_->SawGo(run, kPods));
  cluster_.Say("pods", Event("ADDED", Object("r", "u1", "7")));
  cluster_.Say("pods", Event("ADDED", Object("r", "u2", "8")));
  cluster_.Say("pods", Event("DELETED", Object("r", "u1", "9")));
  ASSERT_TRUE(Eventually([&] { return watcher_->Shows(run, kPods); }));
  EXPECT_FALSE(watcher_->SawGo(run, kPods));
  cluster_.Say("pods", Event("DELETED", Object("r", "u2", "10")));
  EXPECT_TRUE(Eventually([&] { return watcher_->SawGo(run, kPods); }));
}

// By its controller, after a drain of its node: the command runs a second time.
TEST_F(RunWatcherTest, PodThatIsReplacedIsLost) {
  Track();
  SayPod("ADDED");
  ASSERT_TRUE(WaitPod());
  cluster_.Say("pods", Event("ADDED", Object("r", "u2", "300", Ended(0))));
  EXPECT_EQ(LostAs(), "CONTAINER_LOST");
  EXPECT_EQ(tracked_->pod()->uid, "u1");
}

// Labels are whatever somebody has written.
TEST_F(RunWatcherTest, PodAndJobThatOnlyBearTheLabelsAreNotTheRuns) {
  tracked_ = watcher_->Track(RunId("r"), {}, false);
  SayPod("ADDED", Ended(0));  // before there is a Job
  tracked_->BelongTo("j2");
  SayPod("MODIFIED", Ended(0));
  SayPod("DELETED", Ended(0));
  SayJob(R"({"conditions":[{"type":"Failed","status":"True"}]})");
  cluster_.Say("jobs", Event("DELETED", Object("r", "j1", "301")));
  EXPECT_TRUE(StaysOpen());
  EXPECT_FALSE(tracked_->pod().has_value());
  EXPECT_FALSE(tracked_->ended_without_pod());
}

// The watch may tell of another one before the cluster was asked.
TEST_F(RunWatcherTest, PodThatWasExpectedIsHeardBeforeAnotherOneCounts) {
  TrackExpected();
  cluster_.Say("pods", Event("ADDED", Object("r", "u2", "300")));
  EXPECT_TRUE(StaysOpen());
  cluster_.SetList("pods", "400",
                   Object("r", "u2", "300") + "," + Object("r", "u1", "301", Ended(5)));
  ASSERT_TRUE(watcher_->AskForPods(RunId("r"), {}, Soon()).has_value());
  EXPECT_EQ(Exit()->exit_code, 5);
  EXPECT_EQ(tracked_->pod()->uid, "u1");
}

TEST_F(RunWatcherTest, PodThatIsNotTheExpectedOneIsNeverTheRuns) {
  TrackExpected();
  cluster_.SetList("pods", "400", Object("r", "u2", "300", Ended(0)));
  ASSERT_TRUE(watcher_->AskForPods(RunId("r"), {}, Soon()).has_value());
  EXPECT_EQ(LostAs(), "CONTAINER_LOST");
  EXPECT_FALSE(tracked_->pod().has_value());
}

TEST_F(RunWatcherTest, PodThatReplacesTheExpectedOneLaterEndsTheRun) {
  TrackExpected();
  cluster_.SetList("pods", "400", Object("r", "u1", "300"));
  ASSERT_TRUE(watcher_->AskForPods(RunId("r"), {}, Soon()).has_value());
  EXPECT_FALSE(tracked_->exited().Peek().has_value());
  cluster_.Say("pods", Event("ADDED", Object("r", "u2", "401")));
  EXPECT_EQ(LostAs(), "CONTAINER_LOST");
}

// The deadline's end takes the pod away.
TEST_F(RunWatcherTest, EndOfAJobSaysMoreThanThatTheExpectedPodIsGone) {
  TrackExpected();
  SayJob(R"({"conditions":[{"type":"Failed","status":"True","reason":"DeadlineExceeded"}]})");
  EXPECT_EQ(LostAsAsked(), "JOB_DEADLINE_EXCEEDED");
}

TEST_F(RunWatcherTest, JobThatGoesBeforeItHasAPodIsLost) {
  Track();
  cluster_.Say("jobs", Event("ADDED", Object("r", "j1", "300")));
  cluster_.Say("jobs", Event("DELETED", Object("r", "j1", "301")));
  EXPECT_EQ(LostAsAsked(), "CONTAINER_LOST");
}

TEST_F(RunWatcherTest, PodLivesUntilItHasRunItsCourse) {
  cluster_.Say("pods", Event("ADDED", Object("r", "u1", "300")));
  ASSERT_TRUE(Eventually([&] { return watcher_->HasLivePods(RunId("r")); }));
  cluster_.Say("pods", Event("MODIFIED", Object("r", "u1", "301", Ended(0))));
  EXPECT_TRUE(watcher_->WaitUntilEnded(RunId("r"), Soon()));
  EXPECT_TRUE(watcher_->Shows(RunId("r"), kPods));
}

}  // namespace
}  // namespace tidewaiter::kubernetes
