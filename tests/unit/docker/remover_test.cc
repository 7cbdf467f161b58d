#include "broker/docker/remover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_http.h"

namespace tidewaiter::docker {
namespace {

using testing::Answer;
using ::testing::ElementsAre;
using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::kVersionAnswer;
using ::testing::Not;

const std::string kId(64, 'a');
const std::string kName = "tw-aaaaaaaaaaaaaaaaaaaaaaaaaa";
const RunId kRun{"aaaaaaaaaaaaaaaaaaaaaaaaaa"};

std::string Labelled(const std::string& broker, const std::string& run) {
  return R"({"Id":")" + kId + R"(","Name":"/)" + kName +
         R"(","Config":{"Labels":{"io.tidewaiter.broker":")" + broker +
         R"(","io.tidewaiter.run":")" + run + "\"}}}";
}

class RemoverTest : public ::testing::Test {
 protected:
  RemoverTest() { settings_.broker_id = BrokerId("me"); }

  run::Removal Remove(const std::string& id, FakeHttp::Handler handler,
                      std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    http_ = std::make_unique<FakeHttp>([handler = std::move(handler)](const io::HttpRequest& r) {
      if (r.url == "http://docker/version")
        return Result<io::HttpResponse>(Answer(200, kVersionAnswer));
      return handler(r);
    });
    client_ = std::make_unique<EngineClient>(*http_, "/s");
    api_ = std::make_unique<EngineApi>(*client_, settings_);
    remover_ = std::make_unique<Remover>(*api_, settings_);
    if (expected_) remover_->ExpectLater(Resource(id), *expected_);
    return remover_->Remove(Resource(id), kRun, Deadline::After(limit));
  }
  static run::Resource Resource(const std::string& id) {
    return {.kind = run::Resource::Kind::kContainer, .name = kName, .id = id};
  }

  std::optional<Deadline> expected_;  // a create whose answer was lost
  DockerSettings settings_;
  std::unique_ptr<FakeHttp> http_;
  std::unique_ptr<EngineClient> client_;
  std::unique_ptr<EngineApi> api_;
  std::unique_ptr<Remover> remover_;
};

TEST_F(RemoverTest, DeletesByIdAndConfirmsTheAbsence) {
  const auto removal =
      Remove(kId, [](const auto& r) { return Answer(r.method == "DELETE" ? 204 : 404, "{}"); });
  EXPECT_TRUE(removal.confirmed_absent);
  EXPECT_THAT(http_->Asked(),
              ElementsAre("GET http://docker/version",
                          "DELETE http://docker/v1.41/containers/" + kId + "?force=1&v=1",
                          "GET http://docker/v1.41/containers/" + kId + "/json"));
}

TEST_F(RemoverTest, RemovalInProgressIsWaitedFor) {
  int looks = 0;
  const auto removal = Remove(kId, [&looks](const auto& r) {
    if (r.method == "DELETE") return Answer(409, R"({"message":"already in progress"})");
    return ++looks < 3 ? Answer(200, Labelled("me", kRun.value())) : Answer(404, "{}");
  });
  EXPECT_TRUE(removal.confirmed_absent);
}

TEST_F(RemoverTest, ContainerThatStaysIsNotCalledAbsent) {
  const auto removal = Remove(
      kId,
      [](const auto& r) {
        return r.method == "DELETE" ? Answer(204) : Answer(200, Labelled("me", kRun.value()));
      },
      std::chrono::milliseconds(200));
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("still shows it"));
}

TEST_F(RemoverTest, ByNameWithOurLabelsItIsDeletedById) {
  bool deleted = false;
  const auto removal = Remove("", [&deleted](const auto& r) {
    if (r.method == "DELETE") deleted = true;
    if (deleted) return Answer(r.method == "DELETE" ? 204 : 404, "{}");
    return Answer(200, Labelled("me", kRun.value()));
  });
  EXPECT_TRUE(removal.confirmed_absent);
  EXPECT_EQ(removal.id, kId);
  EXPECT_THAT(http_->Asked(),
              ::testing::Contains(HasSubstr("DELETE http://docker/v1.41/containers/" + kId)));
}

TEST_F(RemoverTest, ForeignContainerUnderTheNameIsLeftAloneAndCountsAsAbsent) {
  for (const auto& [broker, run] : {std::pair<std::string, std::string>{"other", kRun.value()},
                                    std::pair<std::string, std::string>{"me", "b"}}) {
    const std::string labelled = Labelled(broker, run);
    const auto removal = Remove("", [labelled](const auto&) { return Answer(200, labelled); });
    EXPECT_TRUE(removal.confirmed_absent);
    EXPECT_THAT(http_->Asked(), Not(::testing::Contains(HasSubstr("DELETE"))));
  }
}

TEST_F(RemoverTest, AbsenceIsNotBelievedRightAfterACreateWhoseAnswerWasLost) {
  expected_ = Deadline::After({});
  const auto removal = Remove("", [](const auto&) { return Answer(404, "{}"); });
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("may still be creating it"));
}

TEST_F(RemoverTest, AbsenceIsNotBelievedBeforeTheCreateItselfWouldHaveTimedOut) {
  expected_ = Deadline::After(std::chrono::seconds(60));
  settings_.settle_time = std::chrono::milliseconds(0);
  EXPECT_FALSE(Remove("", [](const auto&) { return Answer(404, "{}"); }).confirmed_absent);
}

TEST_F(RemoverTest, AbsenceIsBelievedOnceTheEngineHadTimeToFinish) {
  expected_ = Deadline::After({});
  settings_.settle_time = std::chrono::milliseconds(0);
  EXPECT_TRUE(Remove("", [](const auto&) { return Answer(404, "{}"); }).confirmed_absent);
}

TEST_F(RemoverTest, AbsenceIsNotBelievedWhereMoreAnswersWereLostThanAreRemembered) {
  DockerSettings settings;
  FakeHttp http([](const io::HttpRequest& request) -> Result<io::HttpResponse> {
    return request.url.ends_with("/version") ? Answer(200, kVersionAnswer) : Answer(404, "{}");
  });
  EngineClient client(http, "/s");
  EngineApi api(client, settings);
  Remover remover(api, settings);
  run::Resource resource = Resource("");
  for (int i = 0; i < 5000; ++i) {
    resource.name = "tw-" + std::to_string(i);
    remover.ExpectLater(resource, Deadline::After({}));
  }
  EXPECT_FALSE(
      remover.Remove(resource, kRun, Deadline::After(std::chrono::seconds(10))).confirmed_absent);
}

TEST_F(RemoverTest, EngineThatIsAwayIsAnErrorInTheReceipt) {
  const auto removal = Remove(kId, [](const auto&) -> Result<io::HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "connection refused", "CONNECT_FAILED");
  });
  EXPECT_FALSE(removal.confirmed_absent);
  EXPECT_THAT(removal.error, HasSubstr("connection refused"));
}

}  // namespace
}  // namespace tidewaiter::docker
