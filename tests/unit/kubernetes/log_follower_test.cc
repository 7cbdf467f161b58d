#include "broker/kubernetes/log_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/guarded.h"
#include "broker/run/log_prefix.h"
#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using testing::Answer;
using testing::Eventually;
using ::testing::HasSubstr;

constexpr const char* kRuns =
    R"({"phase":"Running","containerStatuses":[{"name":"job","state":{"running":{}}}]})";

class Sink final : public run::OutputSink {
 public:
  bool Write(run::OutputStream /*stream*/, std::span<const std::byte> data) override {
    text_.Lock()->append(reinterpret_cast<const char*>(data.data()), data.size());
    return !full_;
  }
  void SetResume(std::function<void()> resume) override { *resume_.Lock() = std::move(resume); }

  std::string Text() { return *text_.Lock(); }
  void BecomeFull() { full_ = true; }
  void MakeRoom() {
    full_ = false;
    auto resume = resume_.Lock();
    if (*resume) (*resume)();
  }

 private:
  Guarded<std::string> text_;
  std::atomic<bool> full_{false};
  Guarded<std::function<void()>> resume_;
};

class LogFollowerTest : public ClusterTest {
 protected:
  LogFollowerTest() : steps_(*io::EventLoop::Start()), watcher_(api_, settings_) {
    EXPECT_TRUE(watcher_.WaitUntilFollowing(Soon()).has_value());
    tracked_ = watcher_.Track(RunId("r"), {}, false);
    tracked_->BelongTo("j1");
    Follow({});
  }
  // From where somebody's copy ends, which is `has`.
  void Follow(const std::string& has, bool digested = true) {
    run::LogPrefix prefix;
    prefix.Add(has);
    follower_.reset();
    follower_ = std::make_unique<LogFollower>(
        api_, *tracked_, sink_, *steps_, nullptr,
        run::LogPosition{.stdout_bytes = has.size(),
                         .stderr_bytes = 0,
                         .stdout_digest = digested ? prefix.Digest() : ""});
  }
  void SayPod(const std::string& type, const std::string& status) {
    cluster_.Say("pods", Event(type, Object("r", "u1", std::to_string(++version_), status)));
  }
  // Whether the log was asked for `count` times by now, or soon.
  bool Asked(std::size_t count) { return !cluster_.WatchUrl("log", count).empty(); }
  bool Shows(const std::string& text) {
    return Eventually([&] { return sink_.Text() == text; });
  }
  // What it ended with: "" as it should, "none" not at all.
  std::string End() {
    const auto end = follower_->ended().Wait({}, Soon().deadline);
    if (!end) return "none";
    return *end ? std::string((*end)->Reason()) + ": " + (*end)->message : "";
  }

  std::unique_ptr<io::EventLoop> steps_;
  RunWatcher watcher_;
  std::unique_ptr<RunWatcher::Tracked> tracked_;
  Sink sink_;
  std::unique_ptr<LogFollower> follower_;  // goes first
  int version_ = 100;
};

TEST_F(LogFollowerTest, LogIsAskedForOnceTheContainerHasStarted) {
  SayPod("ADDED", R"({"phase":"Pending"})");
  ASSERT_TRUE(Eventually([&] { return tracked_->pod().has_value(); }));
  EXPECT_EQ(cluster_.Watches(), 2U) << "before there is a log";
  SayPod("MODIFIED", kRuns);
  EXPECT_THAT(cluster_.WatchUrl("log", 1), HasSubstr("/pods/tw-r/log?container=job&follow=true"));
}

TEST_F(LogFollowerTest, WholeLogIsHandedOnAndItsEndComesWithTheContainers) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  EXPECT_TRUE(Shows("one\n"));
  cluster_.Say("log", "two");
  EXPECT_TRUE(Shows("one\ntwo\n"));
  EXPECT_FALSE(follower_->ended().Peek().has_value());
  SayPod("MODIFIED", Ended(0));
  cluster_.Cut("log");
  EXPECT_EQ(End(), "");
  EXPECT_EQ(sink_.Text(), "one\ntwo\n");
}

// Both orders are seen.
TEST_F(LogFollowerTest, NewsOfTheContainersEndMayComeAfterTheLogs) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  cluster_.Cut("log");
  ASSERT_TRUE(Shows("one\n"));
  EXPECT_FALSE(follower_->ended().Wait({}, Deadline::After(milliseconds(200))).has_value());
  SayPod("MODIFIED", Ended(0));
  EXPECT_EQ(End(), "");
  EXPECT_EQ(cluster_.Watches("log"), 1U) << "it is fetched again";
}

TEST_F(LogFollowerTest, LogThatIsCutIsTakenUpWithoutLossOrRepetition) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  ASSERT_TRUE(Shows("one\n"));
  cluster_.Refuse("log", Fail(ErrorCode::kUnavailable, "connection reset"));
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(3));
  cluster_.Refuse("log", Answer(200));
  cluster_.Say("log", "one\ntwo");
  EXPECT_TRUE(Shows("one\ntwo\n"));
  SayPod("MODIFIED", Ended(0));
  cluster_.Cut("log");
  EXPECT_EQ(End(), "");
}

TEST_F(LogFollowerTest, AnotherLogThanBeforeIsALossAndNeverPiecedTogether) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  ASSERT_TRUE(Shows("one\n"));
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(2));
  cluster_.Say("log", "six\nseven");
  EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE"));
  EXPECT_EQ(sink_.Text(), "one\n");
  EXPECT_TRUE(tracked_->log_lost());
}

TEST_F(LogFollowerTest, LogThatHasBecomeShorterIsALoss) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one\ntwo");
  ASSERT_TRUE(Shows("one\ntwo\n"));
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(2));
  cluster_.Say("log", "one");
  SayPod("MODIFIED", Ended(0));
  cluster_.Cut("log");
  // It may have been cut off.
  ASSERT_TRUE(Asked(3));
  cluster_.Say("log", "one");
  cluster_.Cut("log");
  EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE"));
  EXPECT_EQ(sink_.Text(), "one\ntwo\n");
}

TEST_F(LogFollowerTest, WhatSomebodyHasOfItIsNotHandedOn) {
  Follow("one\nt");
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one\ntwo");
  EXPECT_TRUE(Shows("wo\n"));
  // From here on it is as any other.
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(2));
  cluster_.Say("log", "one\ntwo\nthree");
  EXPECT_TRUE(Shows("wo\nthree\n"));
  SayPod("MODIFIED", Ended(0));
  cluster_.Cut("log");
  EXPECT_EQ(End(), "");
}

TEST_F(LogFollowerTest, StreamThatIsCutBeforeThatHasComeIsAskedForAgain) {
  Follow("one\ntwo\n");
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(2));
  cluster_.Say("log", "one\ntwo\nthree");
  EXPECT_TRUE(Shows("three\n"));
}

TEST_F(LogFollowerTest, AnotherLogThanSomebodyHasIsALoss) {
  for (const char* const other : {"six\nseven", "six"}) {
    SayPod("ADDED", kRuns);
    Follow("one\n");
    cluster_.Say("log", other);
    EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE")) << other;
    EXPECT_EQ(sink_.Text(), "");
  }
}

TEST_F(LogFollowerTest, ShorterLogThanSomebodyHasIsALoss) {
  Follow("one\ntwo\n");
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  SayPod("MODIFIED", Ended(0));
  cluster_.Cut("log");
  ASSERT_TRUE(Asked(2));
  cluster_.Say("log", "one");
  cluster_.Cut("log");
  EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE"));
  EXPECT_EQ(sink_.Text(), "");
  // Nor is it asked for again.
  const std::size_t watches = cluster_.Watches("log");
  Follow("one\n");
  EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE"));
  EXPECT_EQ(cluster_.Watches("log"), watches);
}

TEST_F(LogFollowerTest, CopyOfWhichTheLengthAloneIsKnownIsTakenForAnotherOne) {
  Follow("one\n", false);
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one\ntwo");
  EXPECT_THAT(End(), HasSubstr("LOG_INCOMPLETE"));
  EXPECT_EQ(sink_.Text(), "");
}

// However long it was not to be had before.
TEST_F(LogFollowerTest, AttemptsAreCountedFromTheContainersEndOn) {
  cluster_.Refuse("log", Answer(500));
  SayPod("ADDED", kRuns);
  ASSERT_TRUE(Asked(11));
  SayPod("MODIFIED", Ended(0));
  ASSERT_TRUE(tracked_->exited().Wait({}, Soon().deadline).has_value());
  ASSERT_TRUE(Asked(cluster_.Watches("log") + 2));
  cluster_.Refuse("log", Answer(200));
  cluster_.Say("log", "said meanwhile");
  EXPECT_TRUE(Shows("said meanwhile\n"));
  cluster_.Cut("log");
  EXPECT_EQ(End(), "");
}

TEST_F(LogFollowerTest, SinkThatIsFullHoldsTheLogUp) {
  sink_.BecomeFull();
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  ASSERT_TRUE(Shows("one\n"));
  cluster_.Say("log", "two");
  SayPod("MODIFIED", Ended(0));
  ASSERT_TRUE(tracked_->exited().Wait({}, Soon().deadline).has_value());
  EXPECT_EQ(sink_.Text(), "one\n");
  sink_.MakeRoom();
  EXPECT_TRUE(Shows("one\ntwo\n"));
  cluster_.Cut("log");
  EXPECT_EQ(End(), "");
}

// A kubelet's words about a container that it removes are not the container's.
TEST_F(LogFollowerTest, KubeletsOwnWordsAreLeftOutOfAKilledRunsLog) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  ASSERT_TRUE(Shows("one\n"));
  tracked_->ExpectKill();
  cluster_.Say("log", "rpc error: code = NotFound desc = no such container");
  SayPod("DELETED", kRuns);
  EXPECT_EQ(End(), "");
  EXPECT_EQ(sink_.Text(), "one\n");
}

TEST_F(LogFollowerTest, JobMayWriteTheSameWords) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "rpc error: code = NotFound");
  EXPECT_TRUE(Shows("rpc error: code = NotFound\n"));
}

TEST_F(LogFollowerTest, LogOfAKilledRunThatIsNotThereIsNotWaitedFor) {
  SayPod("ADDED", kRuns);
  ASSERT_TRUE(Asked(1));
  tracked_->ExpectKill();
  cluster_.Refuse(
      "log", Answer(404, R"({"kind":"Status","reason":"NotFound","details":{"name":"tw-r"}})"));
  cluster_.Cut("log");
  SayPod("DELETED", kRuns);
  EXPECT_EQ(End(), "") << "the stream ended with its container";
  // Where the stream breaks before.
  Follow({});
  EXPECT_THAT(End(), HasSubstr("CLUSTER_NOT_FOUND"));
}

TEST_F(LogFollowerTest, RunThatNeverStartedHasNone) {
  SayPod("ADDED", R"({"phase":"Pending"})");
  SayPod("DELETED", R"({"phase":"Pending"})");
  EXPECT_EQ(End(), "");
  EXPECT_EQ(cluster_.Watches(), 2U);
}

TEST_F(LogFollowerTest, NothingIsHandedOnOnceItIsDestroyed) {
  SayPod("ADDED", kRuns);
  cluster_.Say("log", "one");
  ASSERT_TRUE(Shows("one\n"));
  follower_.reset();
  cluster_.Say("log", "two");
  SayPod("MODIFIED", Ended(0));
  ASSERT_TRUE(tracked_->exited().Wait({}, Soon().deadline).has_value());
  EXPECT_EQ(sink_.Text(), "one\n");
  sink_.MakeRoom();
}

TEST_F(LogFollowerTest, MayBeDestroyedWhileItWaitsToTryAgain) {
  cluster_.Refuse("log", Answer(500));
  SayPod("ADDED", kRuns);
  ASSERT_TRUE(Asked(2));
  follower_.reset();
  const std::size_t watches = cluster_.Watches();
  EXPECT_FALSE(Eventually(milliseconds(500), [&] { return cluster_.Watches() != watches; }));
}

}  // namespace
}  // namespace tidewaiter::kubernetes
