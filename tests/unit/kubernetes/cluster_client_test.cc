#include "broker/kubernetes/cluster_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/support/fake_http.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Answer;
using ::testing::ElementsAre;
using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::HeaderOf;
using ::testing::SizeIs;
using Retry = ClusterCall::Retry;
using Response = Result<io::HttpResponse>;

run::Patience Soon() {
  return {.stop = {}, .deadline = Deadline::After(seconds(20))};
}

ClusterAccess Access(const std::string& token = "t1") {
  ClusterAccess access;
  access.server = "https://cluster:6443/prefix";
  access.token = token;
  return access;
}

ClusterCall Get() {
  ClusterCall call;
  call.path = "/x";
  call.subject = "do x";
  return call;
}

ClusterCall Post() {
  ClusterCall call = Get();
  call.method = "POST";
  call.body = "{}";
  call.retry = Retry::kUnlessReached;
  return call;
}

// Answers by a script, one entry a request; the last one for ever.
class Script {
 public:
  explicit Script(std::vector<Response> answers) : answers_(std::move(answers)) {}
  Response operator()(const io::HttpRequest&) {
    const std::size_t at = std::min(next_++, answers_.size() - 1);
    return answers_[at];
  }

 private:
  std::vector<Response> answers_;
  std::size_t next_ = 0;
};

Error Reset() {
  return Fail(ErrorCode::kUnavailable, "connection reset");
}
Error Refused() {
  return Fail(ErrorCode::kUnavailable, "connection refused", "CONNECT_FAILED");
}

// What Do says, and how many requests there were.
struct Said {
  std::string reason;  // "OK", or the error's
  std::size_t requests = 0;
};
Said Do(const ClusterCall& call, std::vector<Response> answers) {
  FakeHttp http{Script(std::move(answers))};
  ClusterClient client(http, Access());
  const auto answer = client.Do(call, Soon());
  return {.reason = answer ? "OK" : std::string(answer.error().Reason()),
          .requests = http.requests().size()};
}

TEST(ClusterClientTest, RequestSaysWhoAsksAndWhat) {
  FakeHttp http{Script({Answer(200, R"({"a":1})")})};
  ClusterClient client(http, Access());
  ClusterCall call = Post();
  call.body = R"({"b":2})";
  const auto answer = client.Do(call, Soon());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(At(*answer, {"a"}), 1);
  const io::HttpRequest request = http.requests().at(0);
  EXPECT_EQ(request.method + " " + request.url, "POST https://cluster:6443/prefix/x");
  EXPECT_EQ(request.body, R"({"b":2})");
  EXPECT_EQ(HeaderOf(request, "Authorization"), "Bearer t1");
  EXPECT_EQ(HeaderOf(request, "Content-Type"), "application/json");
  EXPECT_EQ(request.max_response_bytes, std::size_t{8} << 20U);
  EXPECT_NE(request.tls, nullptr);
}

TEST(ClusterClientTest, NobodyIsNamedWithoutAToken) {
  FakeHttp http{Script({Answer(200, "{}")})};
  ClusterClient client(http, Access(""));
  ASSERT_TRUE(client.Do(Get(), Soon()).has_value());
  EXPECT_EQ(HeaderOf(http.requests().at(0), "Authorization"), "");
}

TEST(ClusterClientTest, AnswerThatIsNoObjectIsNamed) {
  for (const char* body : {"", "[]", "null", "<html>", "{"}) {
    EXPECT_EQ(Do(Get(), {Answer(200, body)}).reason, "CLUSTER_INVALID_ANSWER") << body;
  }
  EXPECT_EQ(Do(Get(), {Fail(ErrorCode::kResourceExhausted, "too long")}).reason,
            "CLUSTER_INVALID_ANSWER");
}

TEST(ClusterClientTest, SafeCallIsRepeatedAfterWhatMayPass) {
  for (const Response& failure :
       std::vector<Response>{Answer(503), Answer(500), Answer(429), Reset(), Refused()}) {
    const Said said = Do(Get(), {failure, failure, Answer(200, "{}")});
    EXPECT_EQ(said.reason, "OK");
    EXPECT_EQ(said.requests, 3U);
  }
}

TEST(ClusterClientTest, RefusalIsNotRepeated) {
  for (const long status : {400, 403, 404, 409, 410, 422}) {
    EXPECT_EQ(Do(Get(), {Answer(status), Answer(200, "{}")}).requests, 1U) << status;
  }
}

TEST(ClusterClientTest, FourAttemptsAreAll) {
  const Said said = Do(Get(), {Answer(503)});
  EXPECT_EQ(said.reason, "ENGINE_UNAVAILABLE");
  EXPECT_EQ(said.requests, 4U);
}

TEST(ClusterClientTest, CreationWhoseAnswerWasLostIsNotRepeated) {
  for (const Response& lost : std::vector<Response>{Reset(), Answer(500), Answer(503),
                                                    Fail(ErrorCode::kDeadlineExceeded, "silent")}) {
    const Said said = Do(Post(), {lost, Answer(201, "{}")});
    EXPECT_EQ(said.reason, "ENGINE_UNAVAILABLE");
    EXPECT_EQ(said.requests, 1U);
  }
}

TEST(ClusterClientTest, CreationThatWasNeverBegunIsRepeated) {
  for (const Response& failure : std::vector<Response>{Refused(), Answer(429)}) {
    const Said said = Do(Post(), {failure, Answer(201, "{}")});
    EXPECT_EQ(said.reason, "OK");
    EXPECT_EQ(said.requests, 2U);
  }
}

TEST(ClusterClientTest, ClusterSaysHowLongToWait) {
  const std::string body = R"({"kind":"Status","details":{"retryAfterSeconds":1}})";
  for (const Response& busy : std::vector<Response>{
           Answer(429, body),
           // As priority and fairness answers (apiserver, filters/maxinflight.go).
           Answer(429, "Too many requests, please try again later.\n", {{"retry-after", "1"}})}) {
    const auto began = Deadline::Clock::now();
    EXPECT_EQ(Do(Post(), {busy, Answer(201, "{}")}).reason, "OK");
    EXPECT_GE(Deadline::Clock::now() - began, seconds(1));
  }
}

TEST(ClusterClientTest, WaitThatNobodyHasPatienceForIsAnError) {
  FakeHttp http{Script({Answer(429, R"({"details":{"retryAfterSeconds":60}})")})};
  ClusterClient client(http, Access());
  const auto answer =
      client.Do(Get(), {.stop = {}, .deadline = Deadline::After(milliseconds(100))});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().Reason(), "CLUSTER_BUSY");
  EXPECT_THAT(http.requests(), SizeIs(1));
}

TEST(ClusterClientTest, SilenceWithinTheCallersPatienceIsAnAbsentCluster) {
  EXPECT_EQ(Do(Post(), {Fail(ErrorCode::kDeadlineExceeded, "no answer")}).reason,
            "ENGINE_UNAVAILABLE");
}

TEST(ClusterClientTest, EndOfTheCallersPatienceIsADeadline) {
  FakeHttp http([](const io::HttpRequest&) -> Response {
    std::this_thread::sleep_for(milliseconds(50));
    return Fail(ErrorCode::kDeadlineExceeded, "no answer");
  });
  ClusterClient client(http, Access());
  const auto answer = client.Do(Get(), {.stop = {}, .deadline = Deadline::After(milliseconds(20))});
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(ClusterClientTest, CancellationStaysACancellation) {
  FakeHttp http{Script({Fail(ErrorCode::kCancelled, "stopped")})};
  ClusterClient client(http, Access());
  EXPECT_EQ(client.Do(Get(), Soon()).error().code, ErrorCode::kCancelled);
  EXPECT_THAT(http.requests(), SizeIs(1));
}

TEST(ClusterClientTest, StopEndsTheWaitBetweenAttempts) {
  std::stop_source stop;
  FakeHttp http([&](const io::HttpRequest&) -> Response {
    stop.request_stop();
    return Answer(503, R"({"details":{"retryAfterSeconds":60}})");
  });
  ClusterClient client(http, Access());
  EXPECT_FALSE(client.Do(Get(), {.stop = stop.get_token(), .deadline = Deadline::Never()}));
  EXPECT_THAT(http.requests(), SizeIs(1));
}

TEST(ClusterClientTest, UntrustedClusterIsNamed) {
  EXPECT_EQ(Do(Get(), {Fail(ErrorCode::kUnavailable, "certificate", "TLS_UNTRUSTED")}).reason,
            "TLS_UNTRUSTED");
}

class TokenFileTest : public ::testing::Test {
 protected:
  TokenFileTest() {
    access_.server = "https://cluster";
    access_.token_file = folder_ / "token";
  }
  void WriteToken(const std::string& text) { std::ofstream(access_.token_file) << text; }
  // Nobody is known but by this token.
  Response Judge(const io::HttpRequest& request) const {
    if (HeaderOf(request, "Authorization") != "Bearer " + good_) return Answer(401);
    return Answer(200, "{}");
  }
  static std::vector<std::string> Tokens(FakeHttp& http) {
    std::vector<std::string> tokens;
    for (const auto& request : http.requests())
      tokens.push_back(HeaderOf(request, "Authorization"));
    return tokens;
  }

  testing::ScratchFolder folder_;
  ClusterAccess access_;
  std::string good_ = "t2";
};

TEST_F(TokenFileTest, RefusedTokenIsReadAgainOnce) {
  WriteToken("t1\n");
  FakeHttp http([this](const io::HttpRequest& request) {
    WriteToken("t2\n");
    return Judge(request);
  });
  ClusterClient client(http, access_);
  EXPECT_TRUE(client.Do(Post(), Soon()).has_value());
  EXPECT_THAT(Tokens(http), ElementsAre("Bearer t1", "Bearer t2"));
}

TEST_F(TokenFileTest, TokenThatIsStillTheSameIsNotTriedAgain) {
  WriteToken("t1");
  FakeHttp http([this](const io::HttpRequest& request) { return Judge(request); });
  ClusterClient client(http, access_);
  EXPECT_EQ(client.Do(Get(), Soon()).error().Reason(), "CLUSTER_UNAUTHORIZED");
  EXPECT_THAT(http.requests(), SizeIs(1));
}

TEST_F(TokenFileTest, TokenThatChangesForEverIsTriedTwice) {
  int number = 0;
  WriteToken("a");
  FakeHttp http([&](const io::HttpRequest&) {
    WriteToken("b" + std::to_string(++number));
    return Answer(401);
  });
  ClusterClient client(http, access_);
  EXPECT_EQ(client.Do(Get(), Soon()).error().Reason(), "CLUSTER_UNAUTHORIZED");
  EXPECT_THAT(http.requests(), SizeIs(2));
}

TEST_F(TokenFileTest, StreamIsOpenedWithAFreshTokenOnce) {
  WriteToken("t1");
  std::vector<std::string> tokens;
  FakeHttp http({},
                [&](const io::HttpRequest& request, const auto&, const auto& on_data, const auto&) {
                  tokens.push_back(HeaderOf(request, "Authorization"));
                  WriteToken("t2");
                  Response answer = Judge(request);
                  if (answer->status == 200) on_data("x");
                  return answer;
                });
  ClusterClient client(http, access_);
  std::string data;
  const io::StreamReceiver receiver{.on_open = [] {},
                                    .on_data =
                                        [&](std::string_view text) {
                                          data += text;
                                          return io::StreamNext::kMore;
                                        },
                                    .control = nullptr};
  EXPECT_TRUE(client.Stream(Get(), milliseconds(0), Soon(), receiver).has_value());
  EXPECT_EQ(data, "x");
  EXPECT_THAT(tokens, ElementsAre("Bearer t1", "Bearer t2"));
}

TEST_F(TokenFileTest, NothingIsSentWithoutTheToken) {
  FakeHttp http([](const io::HttpRequest&) { return Answer(200, "{}"); });
  ClusterClient client(http, access_);
  EXPECT_FALSE(client.Do(Get(), Soon()).has_value());
  EXPECT_THAT(http.requests(), SizeIs(0));
}

TEST(ClusterClientTest, StreamIsNotRepeated) {
  int opened = 0;
  FakeHttp http(
      {}, [&](const io::HttpRequest& request, const auto&, const auto&, const auto&) -> Response {
        EXPECT_EQ(request.silence, seconds(7));
        EXPECT_EQ(request.head_within, seconds(30));
        ++opened;
        return Answer(503);
      });
  ClusterClient client(http, Access());
  const io::StreamReceiver receiver{
      .on_open = [] {}, .on_data = [](auto) { return io::StreamNext::kMore; }, .control = nullptr};
  const auto ended = client.Stream(Get(), seconds(7), Soon(), receiver);
  EXPECT_EQ(ended.error().Reason(), "ENGINE_UNAVAILABLE");
  EXPECT_EQ(opened, 1);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
