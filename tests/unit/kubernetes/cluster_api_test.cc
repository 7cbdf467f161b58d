#include "broker/kubernetes/cluster_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_http.h"
#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using testing::Answer;
using ::testing::ElementsAre;
using testing::FakeHttp;
using Response = Result<io::HttpResponse>;

const std::string kJobsUrl = "http://cluster/apis/batch/v1/namespaces/tidewaiter/jobs";
// Recorded from Kubernetes 1.20.2.
constexpr const char* kNoJob =
    R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)"
    R"("jobs.batch \"x\" not found","reason":"NotFound",)"
    R"("details":{"name":"x","group":"batch","kind":"jobs"},"code":404})";
constexpr const char* kNoSuchApi =
    R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)"
    R"("the server could not find the requested resource","reason":"NotFound","details":{},)"
    R"("code":404})";
constexpr const char* kAnotherUid =
    R"j({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)j"
    R"j("Operation cannot be fulfilled on Job.batch \"x\": the UID in the precondition (u1) does )j"
    R"j(not match the UID in record (u2). The object might have been deleted and then recreated",)j"
    R"j("reason":"Conflict","details":{"name":"x","group":"batch","kind":"Job"},"code":409})j";

class ClusterApiTest : public ::testing::Test {
 protected:
  static run::Patience Soon() {
    return {.stop = {}, .deadline = Deadline::After(std::chrono::seconds(20))};
  }
  static ClusterAccess Access() {
    ClusterAccess access;
    access.server = "http://cluster";
    return access;
  }

  std::function<Response(const io::HttpRequest&)> answer_;
  FakeHttp http_{[this](const io::HttpRequest& request) { return answer_(request); }};
  ClusterClient client_{http_, Access()};
  const KubernetesSettings settings_ = TestSettings();
  ClusterApi api_{client_, settings_};
};

TEST_F(ClusterApiTest, ObjectThatTheClusterDoesNotKnowIsNone) {
  answer_ = [](const auto&) { return Answer(404, kNoJob); };
  const auto read = api_.Read(kJobs, "x", Soon());
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->has_value());
  EXPECT_TRUE(api_.Delete(kJobs, "x", {}, Soon()).value_or(false));
}

// A proxy in front of the cluster, an API that is not served: nothing is known of the object.
TEST_F(ClusterApiTest, OtherThingThatIsNotFoundIsNotTakenForTheObject) {
  for (const char* body : {"", "404 page not found", "<html>", "{}", kNoSuchApi}) {
    answer_ = [body](const auto&) { return Answer(404, body); };
    EXPECT_FALSE(api_.Read(kJobs, "x", Soon()).has_value()) << body;
    EXPECT_FALSE(api_.Delete(kJobs, "x", {}, Soon()).has_value()) << body;
  }
}

TEST_F(ClusterApiTest, TokenFileThatIsNotFoundIsNotTakenForTheObject) {
  ClusterAccess access = Access();
  access.token_file = "/nonexistent/token";
  ClusterClient client(http_, access);
  ClusterApi api(client, settings_);
  EXPECT_FALSE(api.Read(kJobs, "x", Soon()).has_value());
  EXPECT_FALSE(api.Delete(kJobs, "x", {}, Soon()).has_value());
}

TEST_F(ClusterApiTest, DeletionSaysWhichAndHow) {
  answer_ = [](const auto&) { return Answer(200, R"({"kind":"Job"})"); };
  const auto gone = api_.Delete(
      kJobs, "x", {.propagation = "Foreground", .uid = "u1", .grace_seconds = 3}, Soon());
  ASSERT_TRUE(gone.has_value());
  EXPECT_FALSE(*gone);
  EXPECT_THAT(http_.Asked(), ElementsAre("DELETE " + kJobsUrl + "/x"));
  EXPECT_EQ(Json::parse(http_.requests()[0].body), Json::parse(R"({
      "apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground",
      "preconditions":{"uid":"u1"},"gracePeriodSeconds":3})"));
}

TEST_F(ClusterApiTest, StatusSaysThatItIsGoneAtOnce) {
  answer_ = [](const auto&) { return Answer(200, R"({"kind":"Status","status":"Success"})"); };
  EXPECT_TRUE(api_.Delete(kPods, "x", {}, Soon()).value_or(false));
}

TEST_F(ClusterApiTest, ObjectThatHasBeenReplacedIsGone) {
  answer_ = [](const io::HttpRequest& request) {
    if (request.method == "DELETE") return Answer(409, kAnotherUid);
    return Answer(200, R"({"metadata":{"name":"x","uid":"u2"}})");
  };
  EXPECT_TRUE(api_.Delete(kJobs, "x", {.uid = "u1", .grace_seconds = {}}, Soon()).value_or(false));
}

// A webhook may refuse a deletion with whatever status it likes.
TEST_F(ClusterApiTest, ConflictOverAnObjectThatIsStillThereIsAnError) {
  answer_ = [](const io::HttpRequest& request) {
    if (request.method == "DELETE") return Answer(409, kAnotherUid);
    return Answer(200, R"({"metadata":{"name":"x","uid":"u1"}})");
  };
  const auto gone = api_.Delete(kJobs, "x", {.uid = "u1", .grace_seconds = {}}, Soon());
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().Reason(), "CLUSTER_CONFLICT");
}

TEST_F(ClusterApiTest, ListGoesThroughAllPages) {
  answer_ = [](const io::HttpRequest& request) {
    if (request.url.ends_with("continue=a%2F1")) {
      return Answer(200, R"({"metadata":{"resourceVersion":"9"},"items":[{"n":2}]})");
    }
    return Answer(200,
                  R"({"metadata":{"resourceVersion":"8","continue":"a/1"},"items":[{"n":1}]})");
  };
  std::vector<int> seen;
  const auto version = api_.List(kJobs, "labelSelector=a", Soon(),
                                 [&](const Json& item) { seen.push_back(item.at("n")); });
  EXPECT_EQ(version.value_or(""), "9");
  EXPECT_THAT(seen, ElementsAre(1, 2));
  EXPECT_THAT(http_.Asked(),
              ElementsAre("GET " + kJobsUrl + "?limit=200&labelSelector=a",
                          "GET " + kJobsUrl + "?limit=200&labelSelector=a&continue=a%2F1"));
}

TEST_F(ClusterApiTest, ListWithoutItemsIsEmptyAndOfAnotherShapeAnError) {
  answer_ = [](const auto&) {
    return Answer(200, R"({"metadata":{"resourceVersion":"9"},"items":null})");
  };
  EXPECT_EQ(api_.List(kJobs, "", Soon(), [](const Json&) {}).value_or(""), "9");
  answer_ = [](const auto&) { return Answer(200, R"({"items":{"a":1}})"); };
  EXPECT_FALSE(api_.List(kJobs, "", Soon(), [](const Json&) {}).has_value());
}

TEST_F(ClusterApiTest, NameOfAStrangerStaysInItsPlace) {
  answer_ = [](const auto&) { return Answer(200, "{}"); };
  static_cast<void>(api_.Read(kJobs, "../../x?y", Soon()));
  EXPECT_THAT(http_.Asked(), ElementsAre("GET " + kJobsUrl + "/..%2F..%2Fx%3Fy"));
}

TEST_F(ClusterApiTest, OldestVersionIs120) {
  const auto version = [this](const std::string& major, const std::string& minor) {
    answer_ = [=](const auto&) {
      return Answer(200,
                    R"({"major":")" + major + R"(","minor":")" + minor + R"(","gitVersion":"v1"})");
    };
    const auto said = api_.Version(Soon());
    return said ? "OK" : std::string(said.error().Reason());
  };
  EXPECT_EQ(version("1", "20"), "OK");
  EXPECT_EQ(version("1", "21+"), "OK");
  EXPECT_EQ(version("2", "0"), "OK");
  EXPECT_EQ(version("1", "19"), "CLUSTER_VERSION");
  EXPECT_EQ(version("0", "99"), "CLUSTER_VERSION");
  EXPECT_EQ(version("", "20"), "CLUSTER_INVALID_ANSWER");
  EXPECT_EQ(version("1", "x"), "CLUSTER_INVALID_ANSWER");
}

}  // namespace
}  // namespace tidewaiter::kubernetes
