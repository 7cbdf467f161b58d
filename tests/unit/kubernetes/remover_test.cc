#include "broker/kubernetes/remover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Answer;
using testing::Eventually;
using ::testing::HasSubstr;
using Kind = run::Resource::Kind;

const std::string kAJob = "GET /jobs/" + kName;
const std::string kDeleteJob = "DELETE /jobs/" + kName;
const std::string kDeletePod = "DELETE /pods/" + kName;
constexpr const char* kDeleted = R"({"kind":"Status","status":"Success"})";

std::string NotFound() {
  return R"({"kind":"Status","reason":"NotFound","details":{"name":")" + kName + R"("}})";
}

class RemoverTest : public ClusterTest {
 protected:
  RemoverTest() : watcher_(api_, settings_), remover_(api_, watcher_, settings_) {
    EXPECT_TRUE(watcher_.WaitUntilFollowing(Soon()).has_value());
  }
  run::Removal Remove(Kind kind, const std::string& id, milliseconds within = seconds(20)) {
    return remover_.Remove({.kind = kind, .name = kName, .id = id}, kRunId,
                           Deadline::After(within));
  }
  std::string Ours(const std::string& uid, const std::string& version = "7") {
    return Object(kRunId.value(), uid, version);
  }
  Json BodyOfLast(const std::string& method) {
    std::string body = "null";
    for (const auto& request : cluster_.http().requests()) {
      if (request.method == method) body = request.body;
    }
    return Json::parse(body);
  }
  bool WatchShowsTheJob() {
    cluster_.Say("jobs", Event("ADDED", Ours("j1")));
    return Eventually([&] { return watcher_.Shows(kRunId, kJobs); });
  }

  RunWatcher watcher_;
  Remover remover_;
};

TEST_F(RemoverTest, JobGoesInTheForegroundAndByItsUid) {
  cluster_.SetAnswer(kDeleteJob, Answer(200, kDeleted));
  const run::Removal removal = Remove(Kind::kJob, "j1");
  EXPECT_TRUE(removal.confirmed_absent);
  EXPECT_EQ(removal.id, "j1");
  EXPECT_EQ(BodyOfLast("DELETE").at("propagationPolicy"), "Foreground");
  EXPECT_EQ(BodyOfLast("DELETE").at("preconditions").at("uid"), "j1");
  EXPECT_FALSE(BodyOfLast("DELETE").contains("gracePeriodSeconds"));
}

TEST_F(RemoverTest, OthersGoInTheBackground) {
  cluster_.SetAnswer("DELETE /networkpolicies/" + kName, Answer(200, kDeleted));
  EXPECT_TRUE(Remove(Kind::kNetworkPolicy, "n1").confirmed_absent);
  EXPECT_EQ(BodyOfLast("DELETE").at("propagationPolicy"), "Background");
}

TEST_F(RemoverTest, JobOfWhichOnlyTheNameIsKnownIsLookedUp) {
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j7")));
  cluster_.SetAnswer(kDeleteJob, Answer(200, kDeleted));
  const run::Removal removal = Remove(Kind::kJob, "");
  EXPECT_TRUE(removal.confirmed_absent);
  EXPECT_EQ(removal.id, "j7");
  EXPECT_EQ(BodyOfLast("DELETE").at("preconditions").at("uid"), "j7");
}

TEST_F(RemoverTest, ForeignJobUnderTheNameIsLeftAlone) {
  cluster_.SetAnswer(kAJob, Answer(200, Object("anotherrun", "j7", "7")));
  EXPECT_TRUE(Remove(Kind::kJob, "").confirmed_absent);
  EXPECT_EQ(cluster_.Count("DELETE /"), 0U);
}

TEST_F(RemoverTest, AbsentJobIsAbsent) {
  cluster_.SetAnswer(kAJob, Answer(404, NotFound()));
  cluster_.SetAnswer(kDeleteJob, Answer(404, NotFound()));
  EXPECT_TRUE(Remove(Kind::kJob, "").confirmed_absent);
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
}

TEST_F(RemoverTest, JobThatIsDeniedWhileTheWatchShowsItIsNotTakenForAbsent) {
  ASSERT_TRUE(WatchShowsTheJob());
  cluster_.SetAnswer(kDeleteJob, Answer(404, NotFound()));
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j1")));
  EXPECT_FALSE(Remove(Kind::kJob, "j1", milliseconds(500)).confirmed_absent);
  // Somebody else has deleted it.
  cluster_.Say("jobs", Event("DELETED", Ours("j1", "8")));
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
}

TEST_F(RemoverTest, JobThatMayStillComeIsNotTakenForAbsent) {
  const run::Resource job{.kind = Kind::kJob, .name = kName, .id = {}};
  cluster_.SetAnswer(kAJob, Answer(404, NotFound()));
  remover_.ExpectLater(job, Deadline::After({}));
  const run::Removal removal = Remove(Kind::kJob, "");
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_EQ(removal.reason, "STILL_CREATING");
  // Long since.
  remover_.ExpectLater(job, Deadline::At(Deadline::Clock::now() - seconds(60)));
  EXPECT_TRUE(Remove(Kind::kJob, "").confirmed_absent);
}

TEST_F(RemoverTest, EndOfTheJobIsToldByTheWatchAndNotAskedFor) {
  ASSERT_TRUE(WatchShowsTheJob());
  cluster_.SetAnswer(kDeleteJob, Answer(200, Ours("j1")));
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j1")));
  std::jthread cluster([this] {
    static_cast<void>(Eventually([&] { return cluster_.Count(kDeleteJob) > 0; }));
    cluster_.Say("jobs", Event("DELETED", Ours("j1", "8")));
  });
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
  EXPECT_EQ(cluster_.Count(kAJob), 0U);
}

TEST_F(RemoverTest, EndOfTheJobThatIsToldBeforeTheAnswerIsNotAskedFor) {
  ASSERT_TRUE(WatchShowsTheJob());
  cluster_.Say("jobs", Event("DELETED", Ours("j1", "8")));
  ASSERT_TRUE(Eventually([&] { return watcher_.SawGo(kRunId, kJobs); }));
  cluster_.SetAnswer(kDeleteJob, Answer(200, Ours("j1")));
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
  EXPECT_EQ(cluster_.Count(kAJob), 0U);
}

// Right after its creation: that it is missing from what has been told says nothing.
TEST_F(RemoverTest, JobThatTheWatchHasNotToldOfYetIsAskedFor) {
  cluster_.SetAnswer(kDeleteJob, Answer(200, Ours("j1")));
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j1")));
  const run::Removal removal = Remove(Kind::kJob, "j1", milliseconds(500));
  EXPECT_FALSE(removal.confirmed_absent);
  // With pauses: 50, 100, 200 ms and so on.
  EXPECT_GE(cluster_.Count(kAJob), 1U);
  EXPECT_LE(cluster_.Count(kAJob), 5U);
}

TEST_F(RemoverTest, ClusterIsAskedWithPausesWhileTheWatchIsAway) {
  ASSERT_TRUE(WatchShowsTheJob());
  cluster_.Refuse("jobs", Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED"));
  cluster_.Cut("jobs");
  ASSERT_TRUE(Eventually([&] { return !watcher_.Shows(kRunId, kJobs); }));
  cluster_.SetAnswer(kDeleteJob, Answer(200, Ours("j1")));
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j1")));
  EXPECT_FALSE(Remove(Kind::kJob, "j1", milliseconds(500)).confirmed_absent);
  EXPECT_LE(cluster_.Count(kAJob), 5U);
}

TEST_F(RemoverTest, JobThatWasReplacedMeanwhileIsGone) {
  cluster_.SetAnswer(kDeleteJob, Answer(200, Ours("j1")));
  cluster_.SetAnswer(kAJob, Answer(200, Ours("j2")));
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
}

TEST_F(RemoverTest, RefusalIsToldAndNothingConfirmed) {
  cluster_.SetAnswer(kDeleteJob, Answer(403, R"({"kind":"Status","message":"no right"})"));
  const run::Removal removal = Remove(Kind::kJob, "j1");
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_EQ(removal.reason, "CLUSTER_FORBIDDEN");
  EXPECT_THAT(removal.error, HasSubstr("no right"));
}

TEST_F(RemoverTest, PodsAreDeletedByUidUntilNoneIsListed) {
  cluster_.SetList("pods", "9", Ours("p1") + "," + Object("anotherrun", "p2", "7"));
  cluster_.SetAnswer(kDeletePod, Answer(200, R"({"kind":"Pod"})"));
  std::jthread cluster([this] {
    static_cast<void>(Eventually([&] { return cluster_.Count(kDeletePod) > 1; }));
    cluster_.SetList("pods", "10", "");
  });
  EXPECT_TRUE(Remove(Kind::kPod, "").confirmed_absent);
  EXPECT_EQ(BodyOfLast("DELETE").at("preconditions").at("uid"), "p1");
}

TEST_F(RemoverTest, PodsOfAnotherBrokerAreLeftAlone) {
  cluster_.SetList("pods", "9", Object("anotherrun", "p2", "7"));
  EXPECT_TRUE(Remove(Kind::kPod, "").confirmed_absent);
  EXPECT_EQ(cluster_.Count("DELETE /"), 0U);
}

TEST_F(RemoverTest, PodsThatStayAreToldOf) {
  cluster_.SetList("pods", "9", Ours("p1"));
  cluster_.SetAnswer(kDeletePod, Answer(200, R"({"kind":"Pod"})"));
  const run::Removal removal = Remove(Kind::kPod, "", milliseconds(300));
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("still shows 1"));
}

TEST_F(RemoverTest, PodsThatWereSeenToGoAreNotAskedFor) {
  cluster_.Say("pods", Event("ADDED", Ours("p1")));
  cluster_.Say("pods", Event("DELETED", Ours("p1", "8")));
  ASSERT_TRUE(Eventually([&] { return watcher_.SawGo(kRunId, kPods); }));
  const std::size_t before = cluster_.http().requests().size();
  EXPECT_TRUE(Remove(Kind::kPod, "").confirmed_absent);
  EXPECT_EQ(cluster_.http().requests().size(), before);
}

TEST_F(RemoverTest, NewsOfTheLastPodsEndIsWaitedForAndNotAskedFor) {
  cluster_.Say("pods", Event("ADDED", Ours("p1")));
  ASSERT_TRUE(Eventually([&] { return watcher_.Shows(kRunId, kPods); }));
  const std::size_t before = cluster_.http().requests().size();
  std::jthread cluster([this] {
    std::this_thread::sleep_for(milliseconds(20));  // what is tested: news that come late
    cluster_.Say("pods", Event("DELETED", Ours("p1", "8")));
  });
  EXPECT_TRUE(Remove(Kind::kPod, "").confirmed_absent);
  EXPECT_EQ(cluster_.http().requests().size(), before);
}

// Its deletion in the foreground would take the network policy away at once.
TEST_F(RemoverTest, JobWhosePodRunsIsStoppedFirst) {
  cluster_.Say("pods", Event("ADDED", Ours("u1")));
  ASSERT_TRUE(Eventually([&] { return watcher_.HasLivePods(kRunId); }));
  cluster_.SetAnswer("PATCH /jobs/" + kName, Answer(200, Ours("j1")));
  cluster_.SetAnswer(kDeleteJob, Answer(200, kDeleted));
  std::jthread cluster([this] {
    static_cast<void>(Eventually([&] { return cluster_.Count("PATCH /jobs/" + kName) > 0; }));
    EXPECT_EQ(cluster_.Count(kDeleteJob), 0U);
    cluster_.Say("pods", Event("DELETED", Ours("u1", "8")));
  });
  EXPECT_TRUE(Remove(Kind::kJob, "j1").confirmed_absent);
  EXPECT_EQ(BodyOfLast("PATCH").at("spec").at("parallelism"), 0);
}

TEST_F(RemoverTest, NetworkPolicyStaysWhileAPodRuns) {
  cluster_.Say("pods", Event("ADDED", Ours("u1")));
  ASSERT_TRUE(Eventually([&] { return watcher_.HasLivePods(kRunId); }));
  const run::Removal removal = Remove(Kind::kNetworkPolicy, "n1");
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_EQ(removal.reason, "POD_RUNS");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
