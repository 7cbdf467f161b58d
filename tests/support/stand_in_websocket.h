// A server's end of WebSocket (RFC 6455) on a connection of a StandInServer, and on it what an API
// server's pods/exec and pods/attach speak: the first byte of each message is a channel
// ("v4.channel.k8s.io"). Says as much as Kubernetes 1.20 does: whole binary messages, a Close frame
// of 1000, and no wait for the other one's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

class StandInWebSocket {
 public:
  static constexpr const char* kProtocol = "v4.channel.k8s.io";
  static constexpr char kStdin = 0;
  static constexpr char kStdout = 1;
  static constexpr char kStderr = 2;
  static constexpr char kStatus = 3;

  // Whether the request asks to go on so.
  static bool Asked(const StandInRequest& request);

  // Agrees to it.
  StandInWebSocket(const StandInRequest& request, StandInConnection& connection);
  // Closes it.
  ~StandInWebSocket();
  StandInWebSocket(const StandInWebSocket&) = delete;
  StandInWebSocket& operator=(const StandInWebSocket&) = delete;

  // As one message or several, as an io.Copy of Go does; one of nothing where there is nothing.
  // False where the peer is gone.
  bool Send(char channel, std::string_view bytes);
  // Waits so long for the peer to say something. True: it has, or has gone.
  bool Heard(int wait_millis);
  // The next message with its channel; nothing where the peer has closed or is gone.
  std::optional<std::string> Receive();

 private:
  bool SendFrame(unsigned opcode, std::string_view payload);
  // Nothing where the peer goes first.
  std::optional<std::string> Read(std::size_t bytes);

  StandInConnection& connection_;
  std::string unread_;
};

}  // namespace tidewaiter::testing
