// The frames of WebSocket (RFC 6455, 5), as a client reads and writes them. Pure; the bytes are a
// stranger's. What a frame carries is handed on in place as it comes, so a frame of any size costs
// nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::io {

enum class WebSocketOpcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

// The status codes of a Close frame (7.4.1) that are ours to name.
inline constexpr std::uint16_t kWebSocketNormalClosure = 1000;
inline constexpr std::uint16_t kWebSocketNoStatus = 1005;  // never sent: the frame has none

// Part of a message, or a control frame whole.
struct WebSocketPiece {
  WebSocketOpcode opcode = WebSocketOpcode::kBinary;  // the message's: never kContinuation
  std::string_view payload;  // empty for parts only where they begin or end a message
  bool begins = true;
  bool ends = true;
};

class WebSocketParser {
 public:
  explicit WebSocketParser(std::uint64_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  // Takes the next piece off the front of `data`. Its payload is of `data`, or of the parser until
  // the next call. Nothing: all of `data` has been taken, and more is wanted. What follows a Close
  // frame is passed over. That text is UTF-8 is for the caller to check. Errors, which stay:
  // INTERNAL (no frame that a server may send), RESOURCE_EXHAUSTED (a frame of more than
  // `max_frame_bytes`).
  Result<std::optional<WebSocketPiece>> Next(std::string_view& data);

  // A Close frame has come.
  [[nodiscard]] bool closed() const noexcept { return state_ == State::kClosed; }

 private:
  enum class State { kHeader, kPayload, kClosed, kBroken };

  Result<bool> TakeHeader(std::string_view& data);
  Result<void> ReadBits(unsigned first, unsigned second);
  Result<void> BeginPart();
  [[nodiscard]] Result<void> CheckLength(unsigned told) const;
  Result<std::optional<WebSocketPiece>> TakePayload(std::string_view& data);
  Result<std::optional<WebSocketPiece>> TakeControl(std::string_view here);
  std::optional<WebSocketPiece> TakePart(std::string_view here);
  Error Break(Error error);

  const std::uint64_t max_frame_bytes_;
  State state_ = State::kHeader;
  std::string header_;   // as far as it has come
  std::string control_;  // a control frame's payload, as far as it has come
  Error error_;          // where state_ is kBroken

  // Of the frame whose payload is being read.
  WebSocketOpcode opcode_ = WebSocketOpcode::kContinuation;
  bool fin_ = false;
  std::uint64_t left_ = 0;

  std::optional<WebSocketOpcode> message_;  // that has begun and not ended
  bool begins_ = false;                     // and none of it has been given
};

// What a Close frame says, which a WebSocketParser has let pass: its code and reason.
struct WebSocketStatus {
  std::uint16_t code = kWebSocketNoStatus;
  std::string reason;  // UTF-8 of a stranger
};
WebSocketStatus WebSocketStatusOf(std::string_view close_payload);
// What a Close frame of that code and no reason carries.
std::string WebSocketClosePayload(std::uint16_t code);

// A client's frame that is a message or control frame of its own: FIN is set. `mask` is to be
// random, and another for each frame (5.3).
using WebSocketMask = std::array<unsigned char, 4>;
std::string WebSocketFrame(WebSocketOpcode opcode, std::string_view payload,
                           const WebSocketMask& mask);

}  // namespace tidewaiter::io
