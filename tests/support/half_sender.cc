#include "tests/support/half_sender.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace tidewaiter::testing {
namespace {

// RFC 9113, 6.
constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kReset = 3;
constexpr std::uint8_t kSettings = 4;
constexpr std::uint8_t kPing = 6;
constexpr std::uint8_t kWindowUpdate = 8;
constexpr std::uint8_t kAck = 1;
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::uint16_t kInitialWindowSize = 4;
constexpr std::size_t kFrameHead = 9;
constexpr std::size_t kMaxPayload = 16384;

std::string BigEndian(std::uint32_t value, unsigned bytes) {
  std::string text;
  for (unsigned i = bytes; i > 0; --i) text += static_cast<char>((value >> (8 * (i - 1))) & 0xffU);
  return text;
}

std::uint32_t Number(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

std::string Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  std::string_view payload) {
  return BigEndian(static_cast<std::uint32_t>(payload.size()), 3) + BigEndian(type, 1) +
         BigEndian(flags, 1) + BigEndian(stream, 4) + std::string(payload);
}

// A literal header field that is not indexed (RFC 7541, 6.2.2); both parts under 127 bytes.
std::string Field(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  for (const std::string_view part : {name, value}) {
    field += static_cast<char>(part.size());
    field += part;
  }
  return field;
}

}  // namespace

HalfSender::HalfSender(UniqueFd connection) : connection_(std::move(connection)) {
  Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Write(Frame(kSettings, 0, 0, ""));
}

std::uint32_t HalfSender::Open(std::string_view path) {
  const std::uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
  Write(Frame(kHeaders, kEndHeaders, stream,
              Field(":method", "POST") + Field(":scheme", "http") + Field(":path", path) +
                  Field(":authority", "broker") + Field("te", "trailers") +
                  Field("content-type", "application/grpc")));
  return stream;
}

void HalfSender::Ask(std::string_view path, std::string_view message) {
  const std::uint32_t stream = Open(path);
  const auto bytes = static_cast<std::uint32_t>(message.size());
  Write(Frame(kData, kEndStream, stream,
              BigEndian(0, 1) + BigEndian(bytes, 4) + std::string(message)));
  calls_[stream] = {};
}

bool HalfSender::AwaitEnd(std::chrono::milliseconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (open_ && !calls_.empty() && std::chrono::steady_clock::now() < end) {
    pollfd ready{.fd = connection_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 50) > 0) TakeFrames();
  }
  return calls_.empty();
}

void HalfSender::Begin(std::string_view path, std::uint32_t bytes) {
  const std::uint32_t stream = Open(path);
  // gRPC's prefix: not compressed, the length.
  const std::string prefix = BigEndian(0, 1) + BigEndian(bytes, 4);
  Write(Frame(kData, 0, stream, prefix));
  const auto used = static_cast<std::int64_t>(prefix.size());
  window_ -= used;
  calls_[stream] = {.window = initial_window_ - used, .left = bytes - 1};
}

void HalfSender::Push(std::chrono::milliseconds patience) {
  while (open_) {
    while (SendData()) {
    }
    if (std::all_of(calls_.begin(), calls_.end(),
                    [](const auto& call) { return call.second.left == 0; })) {
      return;
    }
    pollfd ready{.fd = connection_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return;
    TakeFrames();
  }
}

// One frame, or false where no window is open.
bool HalfSender::SendData() {
  for (auto& [stream, call] : calls_) {
    const std::int64_t room = std::min({window_, call.window, static_cast<std::int64_t>(call.left),
                                        static_cast<std::int64_t>(kMaxPayload)});
    if (room <= 0) continue;
    Write(Frame(kData, 0, stream, std::string(static_cast<std::size_t>(room), 'x')));
    window_ -= room;
    call.window -= room;
    call.left -= static_cast<std::size_t>(room);
    sent_ += static_cast<std::size_t>(room);
    return open_;
  }
  return false;
}

void HalfSender::TakeFrames() {
  std::array<char, 65536> bytes{};
  const ssize_t n = ::recv(connection_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    open_ = false;
    return;
  }
  received_ += static_cast<std::size_t>(n);
  read_.append(bytes.data(), static_cast<std::size_t>(n));
  while (read_.size() >= kFrameHead) {
    const std::string_view head = read_;
    const std::size_t size = Number(head.substr(0, 3));
    if (read_.size() < kFrameHead + size) return;
    const std::string payload = read_.substr(kFrameHead, size);
    const auto type = static_cast<std::uint8_t>(head[3]);
    const auto flags = static_cast<std::uint8_t>(head[4]);
    const std::uint32_t stream = Number(head.substr(5, 4)) & 0x7fffffffU;
    read_.erase(0, kFrameHead + size);
    TakeFrame(type, flags, stream, payload);
  }
}

void HalfSender::TakeFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                           std::string_view payload) {
  switch (type) {
    case kWindowUpdate:
      if (stream == 0) {
        window_ += Number(payload);
      } else if (const auto call = calls_.find(stream); call != calls_.end()) {
        call->second.window += Number(payload);
      }
      break;
    case kSettings:
      if ((flags & kAck) == 0) TakeSettings(payload);
      break;
    case kPing:
      if ((flags & kAck) == 0) Write(Frame(kPing, kAck, 0, payload));
      break;
    case kHeaders:
      if ((flags & kEndStream) != 0) ended_ += calls_.erase(stream);
      break;
    case kReset: ended_ += calls_.erase(stream); break;
    default: break;
  }
}

void HalfSender::TakeSettings(std::string_view payload) {
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    if (Number(payload.substr(0, 2)) != kInitialWindowSize) continue;
    const auto size = static_cast<std::int64_t>(Number(payload.substr(2, 4)));
    for (auto& [stream, call] : calls_) call.window += size - initial_window_;
    initial_window_ = size;
  }
  Write(Frame(kSettings, kAck, 0, ""));
}

// The other side reads on its own; where it stops reading for good, so does this.
void HalfSender::Write(std::string_view bytes) {
  while (open_ && !bytes.empty()) {
    const ssize_t n =
        ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    pollfd room{.fd = connection_.get(), .events = POLLOUT, .revents = 0};
    if (errno != EAGAIN || ::poll(&room, 1, 5000) <= 0) open_ = false;
  }
}

}  // namespace tidewaiter::testing
