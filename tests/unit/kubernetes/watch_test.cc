#include "broker/kubernetes/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/eventually.h"
#include "tests/unit/kubernetes/watch_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using testing::Answer;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kList = "GET /pods?limit=";

class WatchTest : public ClusterTest {
 protected:
  void Follow() {
    watch_ = std::make_unique<Watch>(
        api_, kPods, "labelSelector=a", settings_,
        Watch::Handlers{
            .on_list_begin = [this] { Note("begin"); },
            .on_object = [this](const Json& o) { Note("+" + TextAt(At(o, {"metadata"}), "uid")); },
            .on_list_end = [this] { Note("end"); },
            .on_gone = [this](const Json& o) { Note("-" + TextAt(At(o, {"metadata"}), "uid")); },
            .on_silence = [this](auto, const Error& error) { *last_.Lock() = error; }});
    ASSERT_TRUE(watch_->WaitUntilFollowing(Soon()).has_value());
  }
  void Note(const std::string& what) { told_.Lock()->push_back(what); }
  std::vector<std::string> Told() { return *told_.Lock(); }
  bool WaitTold(std::size_t count) {
    return Eventually([&] { return told_.Lock()->size() >= count; });
  }
  std::string LastReason() {
    auto last = last_.Lock();
    return std::string((*last).Reason());
  }

  Guarded<std::vector<std::string>> told_;
  Guarded<Error> last_;
  std::unique_ptr<Watch> watch_;
};

TEST_F(WatchTest, ListComesFirstAndTheWatchBeginsWhereItEnded) {
  cluster_.SetList("pods", "17", Object("r", "u1", "3"));
  Follow();
  EXPECT_THAT(Told(), ElementsAre("begin", "+u1", "end"));
  const std::string url = cluster_.WatchUrl("pods", 1);
  EXPECT_THAT(url, HasSubstr("watch=1"));
  EXPECT_THAT(url, HasSubstr("&resourceVersion=17"));
  EXPECT_THAT(url, HasSubstr("allowWatchBookmarks=true"));
  EXPECT_THAT(url, HasSubstr("labelSelector=a"));
}

TEST_F(WatchTest, ChangesAreTold) {
  Follow();
  cluster_.Say("pods", Event("ADDED", Object("r", "u1", "18")));
  cluster_.Say("pods", Event("MODIFIED", Object("r", "u1", "19")));
  cluster_.Say("pods", Event("DELETED", Object("r", "u1", "20")));
  ASSERT_TRUE(WaitTold(5));
  EXPECT_THAT(Told(), ElementsAre("begin", "end", "+u1", "+u1", "-u1"));
}

TEST_F(WatchTest, CutWatchGoesOnFromTheLastChangeWithoutAList) {
  Follow();
  cluster_.Say("pods", Event("ADDED", Object("r", "u1", "18")));
  ASSERT_TRUE(WaitTold(3));
  cluster_.Cut("pods");
  EXPECT_THAT(cluster_.WatchUrl("pods", 2), HasSubstr("&resourceVersion=18&"));
  EXPECT_EQ(cluster_.Count(kList), 1U);
}

TEST_F(WatchTest, BookmarkMovesTheVersionAndIsNoObject) {
  Follow();
  cluster_.Say("pods",
               R"({"type":"BOOKMARK","object":{"metadata":{"uid":"u","resourceVersion":"44"}}})");
  cluster_.Cut("pods");
  EXPECT_THAT(cluster_.WatchUrl("pods", 2), HasSubstr("&resourceVersion=44&"));
  EXPECT_THAT(Told(), ElementsAre("begin", "end"));
}

TEST_F(WatchTest, VersionThatIsTooOldAsAStatusIsAnsweredByAList) {
  Follow();
  cluster_.SetList("pods", "50", Object("r", "u2", "49"));
  cluster_.Refuse("pods", Answer(410, kGone));
  cluster_.Cut("pods");
  ASSERT_NE(cluster_.WatchUrl("pods", 2), "");
  ASSERT_TRUE(Eventually([&] { return cluster_.Count(kList) >= 2; }));
  cluster_.Refuse("pods", Answer(200));
  ASSERT_TRUE(watch_->WaitUntilFollowing(Soon()).has_value());
  EXPECT_THAT(cluster_.WatchUrl("pods", 3), HasSubstr("&resourceVersion=50&"));
  EXPECT_THAT(Told(), ::testing::Contains("+u2"));
}

TEST_F(WatchTest, VersionThatIsTooOldAsAnEventIsAnsweredByAList) {
  Follow();
  cluster_.SetList("pods", "50", "");
  cluster_.Say("pods", Event("ERROR", kGone));
  EXPECT_THAT(cluster_.WatchUrl("pods", 2), HasSubstr("&resourceVersion=50&"));
  EXPECT_EQ(cluster_.Count(kList), 2U);
  EXPECT_EQ(LastReason(), "CLUSTER_GONE");
}

TEST_F(WatchTest, OtherErrorEventGoesOnFromTheLastChange) {
  Follow();
  cluster_.Say("pods", Event("ADDED", Object("r", "u1", "18")));
  cluster_.Say("pods", Event("ERROR", R"({"kind":"Status","code":500})"));
  EXPECT_THAT(cluster_.WatchUrl("pods", 2), HasSubstr("&resourceVersion=18&"));
  EXPECT_EQ(cluster_.Count(kList), 1U);
}

TEST_F(WatchTest, LineThatCannotBeReadIsAnsweredByAList) {
  std::size_t lists = 1;
  Follow();
  for (const char* line : {"garbage", "[]", "{}", R"({"type":"ADDED","object":{}})",
                           R"({"type":"ADDED","object":{"metadata":{"resourceVersion":7}}})"}) {
    cluster_.Say("pods", line);
    ++lists;
    ASSERT_NE(cluster_.WatchUrl("pods", lists), "") << line;
    EXPECT_EQ(cluster_.Count(kList), lists) << line;
    EXPECT_EQ(LastReason(), "CLUSTER_INVALID_ANSWER") << line;
  }
  EXPECT_THAT(Told(), Not(::testing::Contains(HasSubstr("+"))));
}

TEST_F(WatchTest, LineThatDoesNotEndIsAnsweredByAList) {
  Follow();
  cluster_.Say("pods", std::string((std::size_t{8} << 20U) + 1, 'x'));
  ASSERT_NE(cluster_.WatchUrl("pods", 2), "");
  EXPECT_EQ(cluster_.Count(kList), 2U);
}

TEST_F(WatchTest, ErrorOfTheLastAttemptIsTold) {
  cluster_.SetAnswer(kList, Answer(403, R"({"kind":"Status","reason":"Forbidden"})"));
  watch_ = std::make_unique<Watch>(api_, kPods, "labelSelector=a", settings_,
                                   Watch::Handlers{.on_list_begin = [] {},
                                                   .on_object = [](const Json&) {},
                                                   .on_list_end = [] {},
                                                   .on_gone = [](const Json&) {},
                                                   .on_silence = [](auto, const Error&) {}});
  const auto following = watch_->WaitUntilFollowing(
      {.stop = {}, .deadline = Deadline::After(std::chrono::milliseconds(300))});
  ASSERT_FALSE(following.has_value());
  EXPECT_EQ(following.error().Reason(), "CLUSTER_FORBIDDEN");
  EXPECT_FALSE(watch_->Following());
}

}  // namespace
}  // namespace tidewaiter::kubernetes
