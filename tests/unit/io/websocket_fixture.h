// A WebSocket's client against a scripted server, and what the server does of RFC 6455.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "broker/io/websocket.h"
#include "broker/io/websocket_frames.h"
#include "broker/io/websocket_handshake.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/io/on_loop.h"

namespace tidewaiter::io {

inline constexpr std::string_view kSubprotocol = "v1.example";

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A server's frame of at most 65,535 bytes, which is not masked.
inline std::string ServerFrame(WebSocketOpcode opcode, std::string_view payload, bool fin = true) {
  std::string frame(1, static_cast<char>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode)));
  const bool small = payload.size() < 126;
  frame += static_cast<char>(small ? payload.size() : 126);
  if (!small) frame += static_cast<char>(payload.size() >> 8U);
  if (!small) frame += static_cast<char>(payload.size() & 0xFFU);
  return frame.append(payload);
}

// What the server answers to a handshake whose head is `request`.
inline std::string AcceptOf(const std::string& request,
                            std::string_view subprotocol = kSubprotocol) {
  constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
  const std::size_t found = request.find(kKey);
  if (found == std::string::npos) return {};  // the client has gone
  const std::size_t at = found + kKey.size();
  const std::string key = request.substr(at, request.find('\r', at) - at);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         WebSocketAccept(key) + "\r\nSec-WebSocket-Protocol: " + std::string(subprotocol) +
         "\r\n\r\n";
}

struct ClientFrame {
  unsigned first = 0;  // FIN and opcode; 0 where the client has gone
  std::string payload;
};

// The next frame of a client, whose mask is taken off. `Peer` has Read(bytes).
template <typename Peer>
ClientFrame ReadFrame(Peer& peer) {
  const auto number = [&](std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : peer.Read(bytes)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  };
  ClientFrame frame;
  frame.first = static_cast<unsigned>(number(1));
  std::uint64_t length = number(1);
  if (length < 0x80) return {};  // not masked, or gone
  length &= 0x7FU;
  if (length >= 126) length = number(length == 126 ? 2 : 8);
  const std::string mask = peer.Read(4);
  frame.payload = peer.Read(length);
  if (frame.payload.size() < length) return {};
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ mask[i % 4]);
  }
  return frame;
}

class WebSocketFixture : public ::testing::Test {
 protected:
  using Server = tidewaiter::testing::ScriptedServer;
  using Peer = tidewaiter::testing::ScriptedConnection;
  using Kind = WebSocket::Event::Kind;
  using Opcode = WebSocketOpcode;

  // A server that agrees and then does what `script` says.
  static Server::Script Agreeing(Server::Script script) {
    return [script = std::move(script)](Peer& peer) {
      peer.Send(AcceptOf(peer.ReadHead()));
      script(peer);
    };
  }
  static HttpRequest To(const Server& server) {
    HttpRequest request;
    request.url = "http://cluster:8080/exec?command=secret";
    request.unix_socket = server.socket_path();
    return request;
  }
  static Result<WebSocket::Opened> Open(const HttpRequest& request,
                                        const std::stop_token& stop = {},
                                        Deadline deadline = Soon()) {
    return WebSocket::Open(request, kSubprotocol, stop, deadline);
  }
  // Fails the test where there is none.
  static std::unique_ptr<WebSocket> SocketTo(const HttpRequest& request) {
    Result<WebSocket::Opened> opened = Open(request);
    EXPECT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(!opened || opened->socket) << "refused: " << opened->refusal.status;
    return opened ? std::move(opened->socket) : nullptr;
  }
  // "REASON: message" or "CODE reason" of how it ends after `data`.
  static std::string ReadToTheEnd(WebSocket& socket, std::string& data) {
    for (;;) {
      const Result<WebSocket::Event> event = socket.Receive({}, Soon());
      if (!event) return std::string(event.error().Reason()) + ": " + event.error().message;
      if (event->kind == Kind::kClosed) return std::to_string(event->code) + " " + event->reason;
      data.append(static_cast<const char*>(static_cast<const void*>(event->data.data())),
                  event->data.size());
    }
  }
};

}  // namespace tidewaiter::io
