#include "broker/kubernetes/job_container.h"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using testing::Answer;
using testing::Eventually;

class JobContainerTest : public ClusterTest {
 protected:
  JobContainerTest() : loop_(*io::EventLoop::Start()), watcher_(api_, settings_) {
    EXPECT_TRUE(watcher_.WaitUntilFollowing(Soon()).has_value());
    auto tracked = watcher_.Track(kRunId, {}, false);
    tracked->BelongTo("j1");
    RunWatcher::Tracked& seen = *tracked;
    container_ = std::make_unique<JobContainer>(
        JobContainer::Cluster{
            .api = api_, .watcher = watcher_, .settings = settings_, .steps = *loop_},
        JobContainer::Job{.run_id = kRunId, .name = kName, .uid = "j1"}, std::move(tracked));
    cluster_.Say(
        "pods",
        Event("ADDED", Object(kRunId.value(), "p1", "7",
                              R"({"phase":"Running","containerStatuses":[{"name":"job","state":)"
                              R"({"running":{"startedAt":"2026-11-23T15:26:55Z"}}}]})")));
    EXPECT_TRUE(Eventually([&] { return seen.pod().has_value(); }));
  }

  std::unique_ptr<io::EventLoop> loop_;
  RunWatcher watcher_;
  std::unique_ptr<JobContainer> container_;
};

// The controller may be quicker than the second request.
TEST_F(JobContainerTest, PodThatGoesWhenItsJobIsStoppedHasNotEndedByItself) {
  cluster_.SetAnswer("PATCH /jobs/" + kName, Answer(200, "{}"));
  cluster_.SetAnswer("DELETE /pods/" + kName,
                     Answer(404, R"({"kind":"Status","reason":"NotFound","details":{"name":")" +
                                     kName + R"("}})"));
  const auto signalled = container_->Signal(SIGKILL, Soon());
  ASSERT_TRUE(signalled.has_value()) << signalled.error().message;
  EXPECT_TRUE(*signalled);
  EXPECT_EQ(cluster_.Count("DELETE /pods/"), 1U);
}

TEST_F(JobContainerTest, JobThatIsGoneIsNotStopped) {
  cluster_.SetAnswer("PATCH /jobs/" + kName,
                     Answer(404, R"({"kind":"Status","reason":"NotFound","details":{"name":")" +
                                     kName + R"("}})"));
  const auto signalled = container_->Signal(SIGTERM, Soon());
  ASSERT_TRUE(signalled.has_value()) << signalled.error().message;
  EXPECT_FALSE(*signalled);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
