// How a WebSocket opens, and what happens where it does not.
#include "broker/io/websocket_handshake.h"

#include <gmock/gmock.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "tests/unit/io/websocket_fixture.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class WebSocketHandshakeTest : public WebSocketFixture {
 protected:
  // How opening ends where the server answers by what `answer` makes of the good answer.
  static std::string EndOf(const std::function<std::string(std::string)>& answer) {
    Server server([&](Peer& peer) { peer.Send(answer(AcceptOf(peer.ReadHead()))); });
    const auto opened = Open(To(server));
    if (!opened) return std::string(opened.error().Reason()) + ": " + opened.error().message;
    return opened->socket ? "opened" : "refused";
  }
  static std::string Replaced(std::string text, std::string_view what, std::string_view by) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
  }
  static std::function<std::string(std::string)> Replacing(std::string_view what,
                                                           std::string_view by) {
    return [what, by](std::string good) { return Replaced(std::move(good), what, by); };
  }
};

// RFC 6455, 1.3.
TEST(WebSocketAccept, IsThatOfTheStandardsExample) {
  EXPECT_EQ(WebSocketAccept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_F(WebSocketHandshakeTest, AsksForWebSocketAndTheSubprotocol) {
  Completion<std::string> head;
  Server server([&](Peer& peer) {
    const std::string request = peer.ReadHead();
    head.Set(request);
    peer.Send(AcceptOf(request));
  });
  HttpRequest request = To(server);
  request.headers = {{"Authorization", "Bearer token"}};
  ASSERT_TRUE(SocketTo(request));
  EXPECT_THAT(*head.Peek(),
              StartsWith("GET /exec?command=secret HTTP/1.1\r\nHost: cluster:8080\r\n"));
  for (const char* line : {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                           "Sec-WebSocket-Protocol: v1.example", "Authorization: Bearer token"}) {
    EXPECT_THAT(*head.Peek(), HasSubstr("\r\n" + std::string(line) + "\r\n"));
  }
}

TEST_F(WebSocketHandshakeTest, EachHasAKeyOfItsOwn) {
  std::vector<std::string> heads;
  Server server([&](Peer& peer) {
    heads.push_back(peer.ReadHead());
    peer.Send(AcceptOf(heads.back()));
  });
  ASSERT_TRUE(SocketTo(To(server)));
  ASSERT_TRUE(SocketTo(To(server)));
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_NE(heads[0], heads[1]);
}

TEST_F(WebSocketHandshakeTest, TakesAnswersInOtherWordsAndInParts) {
  EXPECT_EQ(EndOf(Replacing("websocket", "WebSocket")), "opened");
  EXPECT_EQ(EndOf(Replacing("Connection: Upgrade", "connection: keep-alive ,\tupgrade")), "opened");
  EXPECT_EQ(EndOf([](const std::string& good) { return "HTTP/1.1 100 Continue\r\n\r\n" + good; }),
            "opened");
  Server server([](Peer& peer) {
    for (const char c : AcceptOf(peer.ReadHead()) + ServerFrame(Opcode::kBinary, "early")) {
      peer.Send(std::string_view(&c, 1));
    }
  });
  const auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  std::string data;
  EXPECT_THAT(ReadToTheEnd(*socket, data), EndsWith("ended without a Close frame"));
  EXPECT_EQ(data, "early");
}

TEST_F(WebSocketHandshakeTest, AnAnswerThatIsForAnotherKeyIsRefused) {
  const std::string_view wrong = "is not for the key that was sent";
  EXPECT_THAT(EndOf(Replacing("Accept: ", "Accept: x")), EndsWith(wrong));
  EXPECT_THAT(EndOf(Replacing("Sec-WebSocket-Accept", "X-Accept")), EndsWith(wrong));
  EXPECT_THAT(EndOf(Replacing("\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n")), EndsWith(wrong));
}

TEST_F(WebSocketHandshakeTest, AnAnswerOfAnotherSubprotocolIsRefused) {
  EXPECT_THAT(EndOf(Replacing("v1.example", "v2.example")),
              EndsWith("its subprotocol is 'v2.example'"));
  EXPECT_THAT(EndOf(Replacing("Sec-WebSocket-Protocol", "X-Protocol")),
              EndsWith("its subprotocol is ''"));
}

TEST_F(WebSocketHandshakeTest, AnAnswerToSomethingElseIsRefused) {
  EXPECT_THAT(EndOf(Replacing("Upgrade: websocket", "Upgrade: SPDY/3.1")),
              StartsWith("INTERNAL: send 'GET http://cluster:8080/exec': the answer does not"));
  EXPECT_THAT(EndOf(Replacing("Connection: Upgrade", "Connection: close")), StartsWith("INTERNAL"));
  EXPECT_THAT(
      EndOf(Replacing("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
      EndsWith("it uses an extension that nobody asked for"));
}

TEST_F(WebSocketHandshakeTest, WhatIsNoAnswerIsNone) {
  EXPECT_THAT(EndOf([](const std::string&) { return "SSH-2.0-x\r\n\r\n"; }),
              StartsWith("INTERNAL"));
  EXPECT_THAT(EndOf([](const std::string&) { return ""; }), StartsWith("UNAVAILABLE"));
  EXPECT_THAT(EndOf([](const std::string&) {
                return "HTTP/1.1 101 x\r\nX: " + std::string(std::size_t{17} << 10U, 'x');
              }),
              StartsWith("RESOURCE_EXHAUSTED"));
}

TEST_F(WebSocketHandshakeTest, ARefusalIsGivenWithItsBody) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(403, R"({"kind":"Status"})");
    peer.ReadAll();
  });
  const auto opened = Open(To(server));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(opened->socket);
  EXPECT_EQ(opened->refusal.status, 403);
  EXPECT_EQ(opened->refusal.body, R"({"kind":"Status"})");
  EXPECT_EQ(opened->refusal.Header("content-length"), "17");
}

TEST_F(WebSocketHandshakeTest, ARefusalsBodyIsCut) {
  Server server([](Peer& peer) {
    peer.ReadHead();
    peer.Answer(500, std::string(100000, 'x'));
  });
  const auto opened = Open(To(server));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->refusal.body, std::string(4096, 'x'));
}

TEST_F(WebSocketHandshakeTest, WhatCannotAskForItIsNotSent) {
  Server server([](Peer& peer) { peer.ReadAll(); });
  const HttpRequest good = To(server);
  HttpRequest post = good;
  post.method = "POST";
  HttpRequest body = good;
  body.body = "x";
  HttpRequest line = good;
  line.headers = {{"X", "a\r\nY: b"}};
  HttpRequest host = good;
  host.headers = {{"Host", "elsewhere"}};
  HttpRequest key = good;
  key.headers = {{"sec-webSocket-Key", "x"}};
  HttpRequest scheme = good;
  scheme.url = "ws";
  HttpRequest user = good;
  user.url = "http://user@cluster/";
  for (const HttpRequest& request : {post, body, line, host, key, scheme, user}) {
    const auto opened = Open(request);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument) << opened.error().message;
  }
  const auto opened = WebSocket::Open(good, "two words", {}, Soon());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(WebSocketHandshakeTest, WhereNobodyListensTheReasonIsConnectFailed) {
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  auto opened = Open(request);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(opened.error().Reason(), "CONNECT_FAILED");
  request.unix_socket = "/nonexistent/socket";
  opened = Open(request);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().Reason(), "CONNECT_FAILED");
}

TEST_F(WebSocketHandshakeTest, ASilentServerIsLeftAtTheDeadline) {
  Server server([](Peer& peer) { peer.ReadAll(); });
  const auto opened = Open(To(server), {}, Deadline::After(milliseconds(30)));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().Reason(), "DEADLINE_EXCEEDED");
}

TEST_F(WebSocketHandshakeTest, AServerThatIsSilentForLongerThanTheRequestBearsIsLeft) {
  Server server([](Peer& peer) { peer.ReadAll(); });
  HttpRequest request = To(server);
  request.head_within = milliseconds(30);
  auto opened = Open(request);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().Reason(), "SILENT");
  request.head_within = milliseconds(0);
  request.silence = milliseconds(30);
  opened = Open(request);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().Reason(), "SILENT");
}

TEST_F(WebSocketHandshakeTest, AStopTokenEndsTheWaitForAnAnswer) {
  std::stop_source stop;
  Server server([&](Peer& peer) {
    peer.ReadHead();
    stop.request_stop();
    peer.ReadAll();
  });
  const auto opened = Open(To(server), stop.get_token(), Deadline::Never());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::io
