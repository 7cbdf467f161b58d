// WebSockets to servers by TLS: whom they trust, and what a protocol beneath does to them.
#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>

#include "base/completion.h"
#include "tests/support/tls_server.h"
#include "tests/unit/io/websocket_fixture.h"

namespace tidewaiter::io {
namespace {

using tidewaiter::testing::TestAuthority;
using tidewaiter::testing::TlsPeer;
using tidewaiter::testing::TlsServer;

constexpr std::size_t kMuch = std::size_t{8} << 20U;

class WebSocketTlsTest : public WebSocketFixture {
 protected:
  static TlsServer::Script Agreeing(TlsServer::Script script) {
    return [script = std::move(script)](TlsPeer& peer) {
      peer.Send(AcceptOf(peer.ReadHead()));
      script(peer);
    };
  }
  HttpRequest To(const TlsServer& server, const std::string& host = "localhost") {
    HttpRequest request;
    request.url = "https://" + host + ":" + std::to_string(server.port()) + "/exec";
    request.tls = &trusting_;
    return request;
  }
  static std::string ReasonOf(const HttpRequest& request) {
    const auto opened = Open(request);
    return opened ? "opened" : std::string(opened.error().Reason());
  }

  const TestAuthority authority_;
  const TestAuthority::Issued own_ = authority_.Issue("DNS:localhost,DNS:kubernetes.default");
  TlsIdentity trusting_ = [this] {
    TlsIdentity identity;
    identity.ca_certificates = authority_.pem();
    return identity;
  }();
};

TEST_F(WebSocketTlsTest, OnlyAServerOfTheGivenCaAndNameIsTrusted) {
  TlsServer server(own_, "", Agreeing([](TlsPeer&) {}));
  EXPECT_EQ(ReasonOf(To(server)), "opened");
  EXPECT_EQ(ReasonOf(To(server, "127.0.0.1")), "TLS_UNTRUSTED");
  HttpRequest system = To(server);
  system.tls = nullptr;
  EXPECT_EQ(ReasonOf(system), "TLS_UNTRUSTED");
  system.ca_certificates = trusting_.ca_certificates;
  EXPECT_EQ(ReasonOf(system), "opened");
  const TestAuthority stranger("Another CA");
  trusting_.ca_certificates = stranger.pem();
  EXPECT_EQ(ReasonOf(To(server)), "TLS_UNTRUSTED");
}

TEST_F(WebSocketTlsTest, ServerIsKnownByTheNameThatIsAskedFor) {
  Completion<std::string> head;
  Completion<std::string> name;
  TlsServer server(own_, "", [&](TlsPeer& peer) {
    name.Set(peer.asked_name());
    const std::string request = peer.ReadHead();
    head.Set(request);
    peer.Send(AcceptOf(request));
  });
  trusting_.server_name = "kubernetes.default";
  ASSERT_TRUE(SocketTo(To(server, "127.0.0.1")));
  EXPECT_EQ(name.Peek(), "kubernetes.default");
  EXPECT_THAT(*head.Peek(), ::testing::HasSubstr(
                                "\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
}

TEST_F(WebSocketTlsTest, ClientShowsItsCertificateOrOneThatIsNone) {
  Completion<std::string> client;
  TlsServer server(own_, authority_.pem(), [&](TlsPeer& peer) {
    client.Set(peer.client());
    peer.Send(AcceptOf(peer.ReadHead()));
  });
  const TestAuthority::Issued broker = authority_.IssueTo("broker");
  trusting_.certificate = broker.certificate_pem();
  trusting_.key = broker.key_pem();
  ASSERT_TRUE(SocketTo(To(server)));
  EXPECT_EQ(client.Peek(), "broker");
  trusting_.key.clear();
  EXPECT_EQ(ReasonOf(To(server)), "TLS_IDENTITY");
}

// Megabytes both ways at once, the identity and request gone by then.
TEST_F(WebSocketTlsTest, CarriesMegabytesBothWays) {
  Completion<bool> same;
  const std::string part(60000, 'y');
  std::string message;
  while (message.size() < kMuch) message += "0123456789abcdefg";
  TlsServer server(own_, "", Agreeing([&](TlsPeer& peer) {
                     for (int i = 0; i < 100; ++i) {
                       peer.Send(ServerFrame(Opcode::kBinary, part));
                     }
                     same.Set(ReadFrame(peer).payload == message);
                     peer.Send(ServerFrame(Opcode::kClose, ""));
                     ReadFrame(peer);
                   }));
  std::unique_ptr<WebSocket> socket;
  {
    const TlsIdentity identity = std::exchange(trusting_, {});
    HttpRequest request = To(server);
    request.tls = &identity;
    socket = SocketTo(request);
  }
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(BytesOf(message)));
  std::string data;
  EXPECT_EQ(ReadToTheEnd(*socket, data), "1005 ");
  EXPECT_EQ(data.size(), 100 * part.size());
  EXPECT_EQ(same.Peek(), true);
}

TEST_F(WebSocketTlsTest, WhatWasSentBeforeClosingArrivesWhole) {
  Completion<std::size_t> bytes;
  TlsServer server(own_, "", Agreeing([&](TlsPeer& peer) {
                     bytes.Set(ReadFrame(peer).payload.size());
                     ReadFrame(peer);
                     peer.Send(ServerFrame(Opcode::kClose, "\x03\xe8"));
                   }));
  auto socket = SocketTo(To(server));
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(BytesOf(std::string(kMuch, 'x'))));
  const Result<void> closed = socket->Close({}, Soon());
  EXPECT_TRUE(closed) << closed.error().message;
  EXPECT_EQ(bytes.Peek(), kMuch);
}

TEST_F(WebSocketTlsTest, AServerThatDoesNotShakeHandsIsLeftAtTheDeadlineOrStop) {
  Server mute([](Peer& peer) { peer.ReadAll(); });
  HttpRequest request;
  request.url = "https://localhost/";
  request.unix_socket = mute.socket_path();
  const auto late = Open(request, {}, Deadline::After(std::chrono::milliseconds(30)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().Reason(), "DEADLINE_EXCEEDED");

  std::stop_source stop;
  Server stopping([&](Peer& peer) {
    peer.Read(1);  // the client's hello
    stop.request_stop();
    peer.ReadAll();
  });
  request.unix_socket = stopping.socket_path();
  const auto opened = Open(request, stop.get_token(), Deadline::Never());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCancelled);
}

// SIGPIPE is as it is at the start of a program: to write to a server that is gone ends nothing.
TEST_F(WebSocketTlsTest, AServerThatIsGoneIsFoundByReading) {
  struct sigaction action {};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &action), 0);
  ASSERT_EQ(action.sa_handler, SIG_DFL);
  std::optional<TlsServer> server;
  server.emplace(own_, "", Agreeing([](TlsPeer& peer) { peer.Read(1); }));
  const auto socket = SocketTo(To(*server));
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(BytesOf(std::string(kMuch, 'x'))));
  server.reset();
  const Result<WebSocket::Event> event = socket->Receive({}, Soon());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, ErrorCode::kUnavailable) << event.error().message;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(socket->Send(BytesOf(std::string(100000, 'x'))));
}

}  // namespace
}  // namespace tidewaiter::io
