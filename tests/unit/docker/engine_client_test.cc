#include "broker/docker/engine_client.h"

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
using ::testing::SizeIs;

run::Patience Soon() {
  return {.stop = {}, .deadline = Deadline::After(std::chrono::seconds(20))};
}

bool IsVersion(const io::HttpRequest& request) {
  return request.url == "http://docker/version";
}

EngineCall Call(EngineCall::Retry retry = EngineCall::Retry::kSafe) {
  EngineCall call;
  call.path = "/x";
  call.subject = "do x";
  call.retry = retry;
  return call;
}

TEST(EngineClientTest, SpeaksTheNewestVersionThatBothKnow) {
  const auto newest = [](const std::string& api, const std::string& min) {
    const auto version = ReadEngineVersion(R"({"Version":"v","ApiVersion":")" + api +
                                           R"(","MinAPIVersion":")" + min + "\"}");
    return version ? version->Prefix() : std::string(version.error().Reason());
  };
  EXPECT_EQ(newest("1.41", "1.12"), "/v1.41");
  EXPECT_EQ(newest("1.52", "1.44"), "/v1.44");
  EXPECT_EQ(newest("1.40", "1.12"), "ENGINE_VERSION");
  EXPECT_EQ(newest("1.60", "1.50"), "ENGINE_VERSION");
  EXPECT_EQ(newest("2.0", "1.12"), "ENGINE_INVALID_ANSWER");
  EXPECT_EQ(newest("1.41x", "1.12"), "ENGINE_INVALID_ANSWER");
}

TEST(EngineClientTest, GarbageIsANamedError) {
  for (const char* body : {"", "not json", "[]", "{}", R"({"ApiVersion":41})"}) {
    const auto version = ReadEngineVersion(body);
    ASSERT_FALSE(version.has_value());
    EXPECT_EQ(version.error().Reason(), "ENGINE_INVALID_ANSWER");
  }
  const auto deep = ReadEngineVersion(std::string(100000, '['));
  EXPECT_FALSE(deep.has_value());
}

TEST(EngineClientTest, VersionIsAskedOnceForManyCalls) {
  FakeHttp http([](const auto& r) { return Answer(200, IsVersion(r) ? kVersionAnswer : "{}"); });
  EngineClient client(http, "/s");
  EXPECT_TRUE(client.Do(Call(), Soon()).has_value());
  EXPECT_TRUE(client.Do(Call(), Soon()).has_value());
  EXPECT_THAT(http.Asked(), ElementsAre("GET http://docker/version", "GET http://docker/v1.41/x",
                                        "GET http://docker/v1.41/x"));
}

TEST(EngineClientTest, SafeCallIsRepeatedAndTheVersionAskedAgain) {
  int failures = 1;
  FakeHttp http([&](const io::HttpRequest& r) -> Result<io::HttpResponse> {
    if (IsVersion(r)) return Answer(200, kVersionAnswer);
    if (failures-- > 0) return Fail(ErrorCode::kUnavailable, "reset");
    return Answer(200, "{}");
  });
  EngineClient client(http, "/s");
  EXPECT_TRUE(client.Do(Call(), Soon()).has_value());
  EXPECT_THAT(http.Asked(), SizeIs(4));
}

TEST(EngineClientTest, CallThatMayHaveTakenEffectIsNotRepeated) {
  FakeHttp http([](const io::HttpRequest& r) -> Result<io::HttpResponse> {
    if (IsVersion(r)) return Answer(200, kVersionAnswer);
    return Fail(ErrorCode::kUnavailable, "reset");
  });
  EngineClient client(http, "/s");
  const auto answer = client.Do(Call(EngineCall::Retry::kUnlessReached), Soon());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().Reason(), "ENGINE_UNAVAILABLE");
  EXPECT_THAT(http.Asked(), SizeIs(2));
}

TEST(EngineClientTest, CallThatNeverReachedTheEngineIsRepeated) {
  int failures = 1;
  FakeHttp http([&](const io::HttpRequest& r) -> Result<io::HttpResponse> {
    if (IsVersion(r)) return Answer(200, kVersionAnswer);
    if (failures-- > 0) return Fail(ErrorCode::kUnavailable, "refused", "CONNECT_FAILED");
    return Answer(201, "{}");
  });
  EngineClient client(http, "/s");
  EXPECT_TRUE(client.Do(Call(EngineCall::Retry::kUnlessReached), Soon()).has_value());
}

TEST(EngineClientTest, SilenceWithinTheCallersPatienceIsAnAbsentEngine) {
  FakeHttp http([](const io::HttpRequest& r) -> Result<io::HttpResponse> {
    if (IsVersion(r)) return Answer(200, kVersionAnswer);
    return Fail(ErrorCode::kDeadlineExceeded, "no answer");
  });
  EngineClient client(http, "/s");
  EXPECT_EQ(client.Do(Call(), Soon()).error().Reason(), "ENGINE_UNAVAILABLE");
}

TEST(EngineClientTest, CancellationStaysACancellation) {
  FakeHttp http([](const auto&) -> Result<io::HttpResponse> {
    return Fail(ErrorCode::kCancelled, "stopped");
  });
  EngineClient client(http, "/s");
  EXPECT_EQ(client.Do(Call(), Soon()).error().code, ErrorCode::kCancelled);
}

TEST(EngineClientTest, RefusalCarriesTheEnginesWordsEscapedAndCut) {
  const Error error = EngineRefusal(
      {.status = 500, .body = R"({"message":"bad\u001b[31m )" + std::string(2000, 'x') + "\"}"},
      "do x");
  EXPECT_THAT(error.message, HasSubstr("the engine answers 500: 'bad\\x1b[31m"));
  EXPECT_LT(error.message.size(), 600U);
  EXPECT_EQ(error.Reason(), "ENGINE_ERROR");
}

TEST(EngineClientTest, RefusalWithoutJsonStillNamesTheStatus) {
  EXPECT_THAT(EngineRefusal({.status = 404, .body = "<html>"}, "do x").message,
              HasSubstr("do x: the engine answers 404"));
}

}  // namespace
}  // namespace tidewaiter::docker
