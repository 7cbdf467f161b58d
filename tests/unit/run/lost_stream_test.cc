// A detached run whose output's stream ended before the container did: the engine's log has the
// rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "broker/run/detached_run.h"
#include "tests/support/core_world.h"
#include "tests/support/eventually.h"

namespace tidewaiter::testing {
namespace {

class LostStream : public ::testing::Test, public CoreWorld {
 protected:
  void Start(policy::RunSpec spec = Spec()) {
    observer_ = std::make_shared<FakeObserver>();
    auto launched = registry().LaunchDetached({.caller = Alice(),
                                               .spec = std::move(spec),
                                               .with_stdin = false,
                                               .observer = observer_,
                                               .uploads = nullptr});
    ASSERT_TRUE(launched.has_value());
    handle_ = std::move(launched->handle);
    run_ = std::move(launched->run);
    ASSERT_TRUE(observer_->told().WaitFor("started"));
    container_ = engine.WaitContainer();
  }
  run::DetachedRun::State Ended() {
    EXPECT_TRUE(Eventually([&] { return run_->Done(); }));
    return run_->Get();
  }

  std::shared_ptr<FakeObserver> observer_;
  std::shared_ptr<run::RunHandle> handle_;
  std::shared_ptr<run::DetachedRun> run_;
  std::shared_ptr<FakeContainerState> container_;
};

TEST_F(LostStream, TheLogGoesOnWhileTheContainerRuns) {
  Start();
  container_->Emit("one");
  container_->CutOff();
  container_->Emit("two");
  EXPECT_TRUE(Eventually([&] { return files.Log() == "1:one1:two"; }));
  EXPECT_FALSE(run_->Done());
  container_->Exit(3);
  EXPECT_EQ(Ended().outcome->exit_code, 3);
}

TEST_F(LostStream, WhatCameLastIsReadAtTheEndAndNothingIsMissing) {
  Start();
  container_->Emit("one");
  container_->CutOff();
  container_->Emit(run::OutputStream::kStderr, "last");
  container_->Exit(0);
  const auto state = Ended();
  EXPECT_EQ(files.Log(), "1:one2:last");
  EXPECT_EQ(state.truncated, "");
  EXPECT_EQ(state.dropped_bytes, 0);
}

TEST_F(LostStream, AStreamThatBrokeIsMadeGoodToo) {
  Start();
  container_->Emit("one");
  container_->CutOff(Fail(ErrorCode::kUnavailable, "read the output: connection reset"));
  container_->Emit("two");
  container_->Exit(0);
  EXPECT_EQ(Ended().truncated, "");
  EXPECT_EQ(files.Log(), "1:one1:two");
}

TEST_F(LostStream, WhatIsOverTheLimitIsCountedOnce) {
  policy::RunSpec spec = Spec();
  spec.limits.log_bytes = 4;
  Start(spec);
  container_->Emit("123456");
  container_->CutOff();
  container_->Emit("789");
  container_->Exit(0);
  const auto state = Ended();
  EXPECT_EQ(files.Log(), "1:1234");
  EXPECT_EQ(state.truncated, "LOG_LIMIT");
  EXPECT_EQ(state.dropped_bytes, 5);
}

TEST_F(LostStream, ALogThatIsFollowedIsNotFollowedOnceMore) {
  engine.FollowLogs();
  Start();
  container_->Emit("one");
  container_->CutOff(Fail(ErrorCode::kUnavailable, "follow it: given up"));
  container_->Emit("two");
  container_->Exit(0);
  EXPECT_EQ(Ended().truncated, "ENGINE_STREAM_LOST");
  EXPECT_EQ(files.Log(), "1:one");
  EXPECT_EQ(trace.Count("engine:follow log") + trace.Count("engine:read log"), 0U);
}

TEST_F(LostStream, ALogThatTheEngineLostIsTold) {
  Start();
  container_->LoseLog();
  container_->CutOff();
  container_->Exit(0);
  EXPECT_EQ(Ended().truncated, "ENGINE_STREAM_LOST");
}

TEST_F(LostStream, AnEndThatIsNotKnownReadsNoLogAndIsTold) {
  Start();
  container_->CutOff();
  engine.Set(FakeBackend::Step::kReadLog, FakeBackend::Way::kHang);
  container_->Exit(LostBecause(Fail(ErrorCode::kUnavailable, "watch container: gone")));
  const auto state = Ended();
  EXPECT_EQ(state.truncated, "ENGINE_STREAM_LOST");
  EXPECT_EQ(state.outcome->kind, run::Outcome::Kind::kFailed);
}

TEST_F(LostStream, ItsTimeoutIsKept) {
  policy::RunSpec spec = Spec();
  spec.limits.timeout_millis = 50;
  Start(spec);
  container_->CutOff();
  EXPECT_EQ(Ended().outcome->kind, run::Outcome::Kind::kTimedOut);
}

}  // namespace
}  // namespace tidewaiter::testing
