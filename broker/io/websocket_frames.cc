#include "broker/io/websocket_frames.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::io {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kRsv = 0x70;
constexpr unsigned kOpcodeBits = 0x0F;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kLengthBits = 0x7F;
constexpr unsigned kLength16 = 126;  // two more bytes tell the length
constexpr unsigned kLength64 = 127;  // eight more
constexpr unsigned kMaxControlBytes = 125;
constexpr std::size_t kShortHeader = 2;
constexpr std::size_t kStatusBytes = 2;

std::uint8_t Octet(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value = value << 8U | Octet(bytes, i);
  return value;
}

void AppendBigEndian(std::string& to, std::uint64_t value, unsigned bytes) {
  while (bytes-- > 0) to += static_cast<char>(value >> (8 * bytes) & 0xFFU);
}

std::size_t HeaderBytes(unsigned length) {
  if (length == kLength64) return kShortHeader + 8;
  return length == kLength16 ? kShortHeader + 2 : kShortHeader;
}

bool IsKnown(unsigned opcode) {
  return opcode <= static_cast<unsigned>(WebSocketOpcode::kBinary) ||
         (opcode >= static_cast<unsigned>(WebSocketOpcode::kClose) &&
          opcode <= static_cast<unsigned>(WebSocketOpcode::kPong));
}

bool IsControl(WebSocketOpcode opcode) {
  return opcode >= WebSocketOpcode::kClose;
}

// RFC 6455, 7.4, and what IANA has registered since; those that are reserved are never sent.
bool IsSendableCode(std::uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

bool IsClosePayload(std::string_view payload) {
  if (payload.empty()) return true;
  return payload.size() >= kStatusBytes &&
         IsSendableCode(BigEndian(payload.substr(0, kStatusBytes))) &&
         IsUtf8(payload.substr(kStatusBytes));
}

Error Violation(std::string what) {
  return Fail(ErrorCode::kInternal, "not WebSocket: " + std::move(what));
}

}  // namespace

Result<std::optional<WebSocketPiece>> WebSocketParser::Next(std::string_view& data) {
  if (state_ == State::kBroken) return error_;
  while (state_ != State::kClosed) {
    if (state_ == State::kHeader) {
      const Result<bool> whole = TakeHeader(data);
      if (!whole) return Break(whole.error());
      if (!*whole) return std::optional<WebSocketPiece>();
    }
    const bool complete = left_ == 0;
    if (!complete && data.empty()) return std::optional<WebSocketPiece>();
    TW_ASSIGN(const std::optional<WebSocketPiece> piece, TakePayload(data));
    if (piece) return piece;
  }
  data = {};
  return std::optional<WebSocketPiece>();
}

// Whether all of it is there now.
Result<bool> WebSocketParser::TakeHeader(std::string_view& data) {
  for (;;) {
    const bool begun = header_.size() >= kShortHeader;
    const unsigned told = begun ? Octet(header_, 1) & kLengthBits : 0;
    const std::size_t wanted = HeaderBytes(told);
    if (header_.size() == wanted) {
      left_ = told < kLength16 ? told : BigEndian(std::string_view(header_).substr(kShortHeader));
      header_.clear();
      TW_TRY(CheckLength(told));
      state_ = State::kPayload;
      return true;
    }
    if (data.empty()) return false;
    const std::size_t taken = std::min(wanted - header_.size(), data.size());
    header_ += data.substr(0, taken);
    data.remove_prefix(taken);
    // At once: of a frame that may not be, the rest may never come.
    if (!begun && header_.size() == kShortHeader) {
      TW_TRY(ReadBits(Octet(header_, 0), Octet(header_, 1)));
    }
  }
}

Result<void> WebSocketParser::ReadBits(unsigned first, unsigned second) {
  if ((first & kRsv) != 0) return Violation("a frame of an extension that nobody asked for");
  if (!IsKnown(first & kOpcodeBits)) return Violation("a frame of no known opcode");
  if ((second & kMasked) != 0) return Violation("a masked frame from a server");
  fin_ = (first & kFin) != 0;
  opcode_ = static_cast<WebSocketOpcode>(first & kOpcodeBits);
  if (!IsControl(opcode_)) return BeginPart();
  if (!fin_) return Violation("a control frame in parts");
  if ((second & kLengthBits) > kMaxControlBytes) return Violation("a long control frame");
  control_.clear();
  return Ok();
}

Result<void> WebSocketParser::CheckLength(unsigned told) const {
  const bool minimal =
      (told != kLength16 || left_ >= kLength16) && (told != kLength64 || left_ > 0xFFFFU);
  if (!minimal) return Violation("a length in more bytes than it takes");
  if (left_ >> 63U != 0) return Violation("a length of more than 63 bits");
  if (left_ > max_frame_bytes_) {
    return Fail(ErrorCode::kResourceExhausted,
                "a frame is longer than " + std::to_string(max_frame_bytes_) + " bytes");
  }
  return Ok();
}

Result<void> WebSocketParser::BeginPart() {
  if ((opcode_ == WebSocketOpcode::kContinuation) != message_.has_value()) {
    return Violation(message_ ? "a message within another" : "a continuation of nothing");
  }
  if (!message_) {
    message_ = opcode_;
    begins_ = true;
  }
  return Ok();
}

Result<std::optional<WebSocketPiece>> WebSocketParser::TakePayload(std::string_view& data) {
  const std::string_view here =
      data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, data.size())));
  data.remove_prefix(here.size());
  left_ -= here.size();
  if (left_ == 0) state_ = State::kHeader;
  return IsControl(opcode_) ? TakeControl(here) : TakePart(here);
}

Result<std::optional<WebSocketPiece>> WebSocketParser::TakeControl(std::string_view here) {
  control_ += here;
  if (left_ != 0) return std::optional<WebSocketPiece>();
  if (opcode_ == WebSocketOpcode::kClose) {
    if (!IsClosePayload(control_)) return Break(Violation("a Close frame of no valid status"));
    state_ = State::kClosed;
  }
  return std::optional(WebSocketPiece{.opcode = opcode_, .payload = control_});
}

std::optional<WebSocketPiece> WebSocketParser::TakePart(std::string_view here) {
  const bool ends = left_ == 0 && fin_;
  const WebSocketPiece part{
      .opcode = *message_, .payload = here, .begins = std::exchange(begins_, false), .ends = ends};
  if (ends) message_.reset();
  // An empty frame amid a message says nothing.
  if (here.empty() && !part.begins && !part.ends) return std::nullopt;
  return part;
}

Error WebSocketParser::Break(Error error) {
  state_ = State::kBroken;
  error_ = std::move(error);
  return error_;
}

WebSocketStatus WebSocketStatusOf(std::string_view close_payload) {
  if (close_payload.size() < kStatusBytes) return {};
  return {.code = static_cast<std::uint16_t>(BigEndian(close_payload.substr(0, kStatusBytes))),
          .reason = std::string(close_payload.substr(kStatusBytes))};
}

std::string WebSocketClosePayload(std::uint16_t code) {
  std::string payload;
  AppendBigEndian(payload, code, kStatusBytes);
  return payload;
}

std::string WebSocketFrame(WebSocketOpcode opcode, std::string_view payload,
                           const WebSocketMask& mask) {
  std::string frame;
  frame.reserve(kShortHeader + 8 + mask.size() + payload.size());
  frame += static_cast<char>(kFin | static_cast<unsigned>(opcode));
  if (payload.size() < kLength16) {
    frame += static_cast<char>(kMasked | payload.size());
  } else if (payload.size() <= 0xFFFFU) {
    frame += static_cast<char>(kMasked | kLength16);
    AppendBigEndian(frame, payload.size(), 2);
  } else {
    frame += static_cast<char>(kMasked | kLength64);
    AppendBigEndian(frame, payload.size(), 8);
  }
  for (const unsigned char byte : mask) frame += static_cast<char>(byte);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(Octet(payload, i) ^ mask[i % mask.size()]);
  }
  return frame;
}

}  // namespace tidewaiter::io
