#include "broker/io/http_client.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/io/http_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpClientTest : public HttpFixture {};

TEST_F(HttpClientTest, AnAnswerHasStatusHeadersInLowerCaseAndBody) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 404 Not Found\r\nX-Thing: One\r\nContent-Length: 5\r\n\r\nhello");
  });
  const auto answer = Fetch(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->Header("x-thing"), "One");
  EXPECT_EQ(answer->body, "hello");
}

TEST_F(HttpClientTest, ARequestIsSentAsGivenWithoutHeadersOfLibcurlsOwn) {
  Completion<std::string> seen;
  Server server([&](Peer& peer) {
    std::string head = peer.ReadHead();
    seen.Set(head + peer.Read(2000));
    peer.Answer(204, "");
  });
  HttpRequest request = To(server, "POST");
  request.headers = {{"X-Empty", ""}, {"X-Value", "a b"}};
  request.body = std::string(2000, '\0');  // libcurl asks for "100 Continue" from 1 MiB on
  ASSERT_TRUE(Fetch(request));
  const std::string text = *seen.Peek();
  EXPECT_THAT(text, StartsWith("POST /thing?query=secret HTTP/1.1\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nX-Empty:\r\nX-Value: a b\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 2000\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("Content-Type")));
  EXPECT_THAT(text, Not(HasSubstr("Expect")));
  EXPECT_TRUE(text.ends_with("\r\n\r\n" + request.body));
}

TEST_F(HttpClientTest, ALargeBodyIsSentWithoutWaitingForLeave) {
  const std::size_t size = std::size_t{3} << 20U;
  Server server([&](Peer& peer) {
    const std::string head = peer.ReadHead();
    const bool whole = peer.Read(size).size() == size && head.find("Expect") == head.npos;
    peer.Answer(whole ? 200 : 500, "");
  });
  HttpRequest request = To(server, "PUT");
  request.body.assign(size, 'x');
  const auto answer = Fetch(request);
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST_F(HttpClientTest, RequestsOneAfterAnotherShareAConnection) {
  Server server(AnswerAll("x"));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Fetch(To(server)));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, RequestsOfManyThreadsGetTheirOwnAnswers) {
  Server server([](Peer& peer) {
    for (std::string head = peer.ReadHead(); !head.empty(); head = peer.ReadHead()) {
      peer.Answer(200, head.substr(0, head.find(" HTTP")));
    }
  });
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        HttpRequest request = To(server);
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        request.url = "http://engine" + path;
        const auto answer = Fetch(request);
        if (answer && answer->body == "GET " + path) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 320);
}

TEST_F(HttpClientTest, InterimAnswersAreNotTheAnswer) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    peer.Answer(200, "final");
  });
  const auto answer = Fetch(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->body, "final");
  EXPECT_EQ(answer->Header("link"), "");
}

TEST_F(HttpClientTest, ARedirectIsAnAnswerAndNotFollowed) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n");
    peer.ReadHead();
  });
  const auto answer = Fetch(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(answer->Header("location"), "http://elsewhere/");
}

TEST_F(HttpClientTest, AGetGetsThroughWhenTheKeptConnectionTurnsOutToBeClosed) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(200, "first");
    peer.ReadHead();  // the next request is read, but the server goes before it answers
  });
  ASSERT_TRUE(Fetch(To(server)));
  const auto answer = Fetch(To(server));
  ASSERT_TRUE(answer) << Text(answer);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClientTest, APostIsNotSentTwiceWhenTheKeptConnectionTurnsOutToBeClosed) {
  std::atomic<int> requests = 0;
  Server server([&](Peer& peer) {
    while (!peer.ReadHead().empty()) {
      if (++requests == 2) return;  // it may have acted
      peer.Answer(200, "done");
    }
  });
  ASSERT_TRUE(Fetch(To(server, "POST")));
  const auto second = Fetch(To(server, "POST"));
  ASSERT_FALSE(second) << Text(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(second.error().Reason(), "UNAVAILABLE");
  EXPECT_EQ(requests, 2);
}

TEST_F(HttpClientTest, ConnectFailedIsNotSaidOfARequestThatWasSentOnAKeptConnection) {
  std::string path;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Answer(200, "first");
    peer.ReadHead();
    ::unlink(path.c_str());  // and so the second attempt finds nobody
  });
  path = server.socket_path();
  ASSERT_TRUE(Fetch(To(server)));
  const auto second = Fetch(To(server));
  ASSERT_FALSE(second) << Text(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(second.error().Reason(), "UNAVAILABLE");
}

TEST_F(HttpClientTest, WhereNobodyListensTheReasonIsConnectFailed) {
  HttpRequest request;
  request.url = "http://engine/";
  request.unix_socket = "/nonexistent/socket";
  const auto answer = Fetch(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(answer.error().Reason(), "CONNECT_FAILED");
  EXPECT_THAT(answer.error().message, HasSubstr("connect to '/nonexistent/socket': No such file"));
}

TEST_F(HttpClientTest, ErrorsDoNotShowTheQuery) {
  Server server([](Peer& peer) { peer.ReadHead(); });
  const auto answer = Fetch(To(server));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, StartsWith("send 'GET http://engine/thing': "));
}

TEST_F(HttpClientTest, ADeadlineThatHasPassedSendsNothing) {
  Server server(AnswerAll("x"));
  const auto answer = client_->Fetch(To(server), {}, Deadline::After({}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpClientTest, ASilentServerIsLeftAtTheDeadline) {
  Server server([](Peer& peer) { peer.ReadAll(); });
  const auto answer = client_->Fetch(To(server), {}, Deadline::After(milliseconds(30)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(answer.error().Reason(), "DEADLINE_EXCEEDED");
}

TEST_F(HttpClientTest, SilenceHasABoundOfItsOwn) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.ReadAll();
  });
  HttpRequest request = To(server);
  request.silence = milliseconds(30);
  const auto answer = Fetch(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().Reason(), "SILENT");
}

TEST_F(HttpClientTest, AStopTokenEndsAWaitingRequestAndItsConnection) {
  std::stop_source stop;
  Completion<bool> hung_up;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    stop.request_stop();
    peer.ReadAll();
    hung_up.Set(true);
  });
  const auto answer = client_->Fetch(To(server), stop.get_token(), Deadline::Never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(hung_up.Wait({}, Soon()));
}

TEST_F(HttpClientTest, OnTheLoopsOwnThreadACallIsRefusedInsteadOfStuck) {
  OnLoop(*loop_, [&] { EXPECT_EQ(Fetch({}).error().code, ErrorCode::kInternal); });
}

TEST_F(HttpClientTest, KeptConnectionsAreClosedWithTheClient) {
  Completion<bool> hung_up;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    peer.Answer(200, "x");
    peer.ReadAll();
    hung_up.Set(true);
  });
  ASSERT_TRUE(Fetch(To(server)));
  client_.reset();
  EXPECT_TRUE(hung_up.Wait({}, Soon()));
}

class UnsendableTest : public HttpFixture, public ::testing::WithParamInterface<HttpRequest> {};

TEST_P(UnsendableTest, IsRefused) {
  const auto answer = Fetch(GetParam());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument) << answer.error().message;
}

HttpRequest Unsendable(const std::function<void(HttpRequest&)>& spoil) {
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  spoil(request);
  return request;
}

INSTANTIATE_TEST_SUITE_P(
    Requests, UnsendableTest,
    ::testing::Values(Unsendable([](auto& r) { r.url = "file:///etc/passwd"; }),
                      Unsendable([](auto& r) { r.url = "http://a/ HTTP/1.1\r\nX: y"; }),
                      Unsendable([](auto& r) { r.url = "http://user:secret@127.0.0.1:1/"; }),
                      Unsendable([](auto& r) { r.url = "http://"; }),
                      Unsendable([](auto& r) { r.method = "GET / HTTP/1.1\r\nX:"; }),
                      Unsendable([](auto& r) { r.method = ""; }), Unsendable([](auto& r) {
                        r.headers = {{"A", "b\r\nX: y"}};
                      }),
                      Unsendable([](auto& r) {
                        r.headers = {{"A:", "b"}};
                      })));

}  // namespace
}  // namespace tidewaiter::io
