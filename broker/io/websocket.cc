#include "broker/io/websocket.h"

#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

#include "base/base64.h"
#include "broker/io/curl_stream.h"
#include "broker/io/http_answer.h"
#include "broker/io/http_target.h"
#include "broker/io/websocket_frames.h"
#include "broker/io/websocket_handshake.h"

namespace tidewaiter::io {
namespace {

constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{1} << 30U;
constexpr std::size_t kMaxReceived = std::size_t{16} << 10U;  // at once
constexpr std::size_t kStatusBytes = 2;                       // RFC 6455, 5.5.1
constexpr std::size_t kKeyBytes = 16;                         // RFC 6455, 4.1
constexpr int kSwitchingProtocols = 101;

template <std::size_t kSize>
Result<std::array<unsigned char, kSize>> Random() {
  std::array<unsigned char, kSize> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Fail(ErrorCode::kInternal, "no random bytes");
  }
  return bytes;
}

std::string_view Text(std::span<const unsigned char> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

class ClientSocket final : public WebSocket {
 public:
  // `early`: what came with the answer's header.
  ClientSocket(std::unique_ptr<CurlStream> stream, std::string early)
      : stream_(std::move(stream)), received_(std::move(early)), unread_(received_) {}
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;
  ~ClientSocket() override = default;

  Result<Event> Receive(const std::stop_token& stop, Deadline deadline) override;
  bool Send(std::span<const std::byte> message) override;
  void Wake() noexcept override { stream_->Wake(); }
  Result<void> Close(const std::stop_token& stop, Deadline deadline) override;

 private:
  // What the bytes that have come tell the caller; nothing where that takes more of them.
  Result<std::optional<Event>> Parse();
  std::optional<Event> Take(const WebSocketPiece& piece);
  void AnswerPing();
  void SendFrame(WebSocketOpcode opcode, std::string_view payload);
  Result<std::optional<Event>> Exchange(const std::stop_token& stop, Deadline deadline);
  Error Break(const Error& error);
  [[nodiscard]] Event ClosedEvent() const;

  const std::unique_ptr<CurlStream> stream_;
  WebSocketParser parser_{kMaxFrameBytes};
  std::string received_;
  std::string_view unread_;              // the end of received_
  std::optional<std::string> ping_;      // the last that has not been answered (5.5.3)
  std::optional<WebSocketStatus> peer_;  // the other side has closed
  std::optional<Error> error_;           // the end otherwise
  bool closing_ = false;                 // a Close frame of ours is on its way
  bool wants_room_ = false;              // Send has refused a message
};

Result<WebSocket::Event> ClientSocket::Receive(const std::stop_token& stop, Deadline deadline) {
  for (bool looked = false;; looked = true) {
    if (error_) return *error_;
    if (peer_) return ClosedEvent();
    TW_ASSIGN(std::optional<Event> event, Parse());
    if (event) return *std::move(event);
    AnswerPing();
    if (stream_->idle() && std::exchange(wants_room_, false)) {
      return Event{.kind = Event::Kind::kRoom};
    }
    // A peer that sends nothing but pings could go on for ever.
    if (looked && deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded, "the deadline has passed");
    }
    TW_ASSIGN(std::optional<Event> happened, Exchange(stop, deadline));
    if (happened) return *std::move(happened);
  }
}

Result<std::optional<WebSocket::Event>> ClientSocket::Exchange(const std::stop_token& stop,
                                                               Deadline deadline) {
  received_.clear();
  Result<CurlStream::Event> happened = stream_->Exchange(received_, kMaxReceived, stop, deadline);
  unread_ = received_;
  if (!happened) {
    const ErrorCode code = happened.error().code;
    if (code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kCancelled) {
      return happened.error();
    }
    return Break(happened.error());
  }
  if (*happened == CurlStream::Event::kWoken) {
    return std::optional(Event{.kind = Event::Kind::kWoken});
  }
  if (*happened != CurlStream::Event::kEnd) return std::optional<Event>();
  // Some servers answer a Close frame by no other, having read all that was before it.
  if (!closing_ || !stream_->idle() || stream_->broken()) {
    return Break(Fail(ErrorCode::kUnavailable, "the connection ended without a Close frame"));
  }
  peer_.emplace();
  return std::optional(ClosedEvent());
}

Result<std::optional<WebSocket::Event>> ClientSocket::Parse() {
  for (;;) {
    Result<std::optional<WebSocketPiece>> piece = parser_.Next(unread_);
    if (!piece) return Break(piece.error());
    if (!*piece) return std::optional<Event>();
    if (std::optional<Event> event = Take(**piece)) return event;
  }
}

std::optional<WebSocket::Event> ClientSocket::Take(const WebSocketPiece& piece) {
  switch (piece.opcode) {
    case WebSocketOpcode::kPing: ping_ = piece.payload; return std::nullopt;
    case WebSocketOpcode::kPong: return std::nullopt;
    case WebSocketOpcode::kClose:
      peer_ = WebSocketStatusOf(piece.payload);
      // The same code is the answer (5.5.1).
      if (!std::exchange(closing_, true)) {
        SendFrame(WebSocketOpcode::kClose, piece.payload.substr(0, kStatusBytes));
      }
      return ClosedEvent();
    default:
      return Event{.kind = Event::Kind::kData,
                   .data = std::as_bytes(std::span(piece.payload)),
                   .begins = piece.begins,
                   .ends = piece.ends,
                   .text = piece.opcode == WebSocketOpcode::kText};
  }
}

// One at a time: a peer that sends pings and does not read must not fill our memory.
void ClientSocket::AnswerPing() {
  if (!ping_ || !stream_->idle()) return;
  SendFrame(WebSocketOpcode::kPong, *ping_);
  ping_.reset();
}

void ClientSocket::SendFrame(WebSocketOpcode opcode, std::string_view payload) {
  const Result<WebSocketMask> mask = Random<std::tuple_size_v<WebSocketMask>>();
  if (!mask) {
    error_ = mask.error();
    return;
  }
  stream_->Send(WebSocketFrame(opcode, payload, *mask));
}

bool ClientSocket::Send(std::span<const std::byte> message) {
  if (error_ || closing_ || stream_->broken()) return true;
  wants_room_ = !stream_->idle();
  if (wants_room_) return false;
  SendFrame(WebSocketOpcode::kBinary,
            {static_cast<const char*>(static_cast<const void*>(message.data())), message.size()});
  return true;
}

Result<void> ClientSocket::Close(const std::stop_token& stop, Deadline deadline) {
  if (!error_ && !std::exchange(closing_, true)) {
    SendFrame(WebSocketOpcode::kClose, WebSocketClosePayload(kWebSocketNormalClosure));
  }
  for (;;) {
    TW_ASSIGN(const Event event, Receive(stop, deadline));
    if (event.kind == Event::Kind::kClosed) return Ok();
  }
}

Error ClientSocket::Break(const Error& error) {
  error_ = error.Within("use the WebSocket");
  return *error_;
}

WebSocket::Event ClientSocket::ClosedEvent() const {
  return Event{.kind = Event::Kind::kClosed, .code = peer_->code, .reason = peer_->reason};
}

Result<WebSocket::Opened> OpenWithin(const HttpRequest& request, std::string_view subprotocol,
                                     const std::stop_token& stop, Deadline deadline) {
  TW_ASSIGN(const auto nonce, Random<kKeyBytes>());
  const std::string key = EncodeBase64(Text(nonce));
  TW_ASSIGN(const std::string head, WebSocketRequest(request, subprotocol, key));
  TW_ASSIGN(std::unique_ptr<CurlStream> stream, CurlStream::Connect(request, stop, deadline));
  stream->Send(head);
  const ReceiveBytes receive = [&](std::string& buffer, std::size_t limit,
                                   Deadline within) -> Result<std::size_t> {
    const std::size_t before = buffer.size();
    for (;;) {
      TW_ASSIGN(const CurlStream::Event event, stream->Exchange(buffer, limit, stop, within));
      const bool ended = event == CurlStream::Event::kEnd;
      if (ended || event == CurlStream::Event::kBytes) return buffer.size() - before;
    }
  };
  TW_ASSIGN(HttpAnswer answer, ReceiveAnswer(receive, deadline));
  WebSocket::Opened opened;
  if (answer.head.status != kSwitchingProtocols) {
    opened.refusal.status = answer.head.status;
    opened.refusal.headers = answer.head.headers;
    opened.refusal.body = ReceiveRefusal(receive, std::move(answer), deadline);
    return opened;
  }
  TW_TRY(CheckWebSocketAnswer(answer.head, subprotocol, key));
  opened.socket = std::make_unique<ClientSocket>(std::move(stream), std::move(answer.early));
  return opened;
}

}  // namespace

Result<WebSocket::Opened> WebSocket::Open(const HttpRequest& request, std::string_view subprotocol,
                                          const std::stop_token& stop, Deadline deadline) {
  const HttpTarget target(request);
  if (!target.sendable()) {
    return Fail(ErrorCode::kInvalidArgument, target.Subject() + ": not a request that can be sent");
  }
  const bool bounded = request.head_within > std::chrono::milliseconds::zero();
  const Deadline within =
      bounded ? deadline.Sooner(Deadline::After(request.head_within)) : deadline;
  Result<Opened> opened = OpenWithin(request, subprotocol, stop, within);
  if (opened) return opened;
  Error error = opened.error().Within(target.Subject());
  if (error.code == ErrorCode::kDeadlineExceeded && !deadline.Passed()) error.reason = "SILENT";
  return error;
}

}  // namespace tidewaiter::io
