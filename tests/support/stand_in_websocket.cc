#include "tests/support/stand_in_websocket.h"

#include <cstdint>

#include "broker/io/websocket_handshake.h"

namespace tidewaiter::testing {
namespace {

constexpr std::size_t kMessage = 32768;  // of Go's io.Copy
constexpr unsigned kFin = 0x80;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kBinary = 0x2;
constexpr unsigned kClose = 0x8;
constexpr std::size_t kMaskBytes = 4;

std::string Header(const StandInRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

std::uint64_t Number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8U | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

bool StandInWebSocket::Asked(const StandInRequest& request) {
  return Header(request, "upgrade") == "websocket" &&
         Header(request, "sec-websocket-version") == "13" &&
         Header(request, "sec-websocket-protocol") == kProtocol;
}

StandInWebSocket::StandInWebSocket(const StandInRequest& request, StandInConnection& connection)
    : connection_(connection) {
  connection_.CloseAfterwards();
  connection_.Raw(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      io::WebSocketAccept(Header(request, "sec-websocket-key")) +
      "\r\nSec-WebSocket-Protocol: " + kProtocol + "\r\n\r\n");
}

StandInWebSocket::~StandInWebSocket() {
  SendFrame(kClose, std::string_view("\x03\xe8", 2));  // 1000
}

bool StandInWebSocket::Send(char channel, std::string_view bytes) {
  do {
    const std::string_view piece = bytes.substr(0, kMessage);
    bytes.remove_prefix(piece.size());
    if (!SendFrame(kBinary, std::string(1, channel).append(piece))) return false;
  } while (!bytes.empty());
  return true;
}

bool StandInWebSocket::SendFrame(unsigned opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(kFin | opcode));
  const bool small = payload.size() < 126;
  frame += static_cast<char>(small ? payload.size() : 126);
  if (!small) frame += static_cast<char>(payload.size() >> 8U);
  if (!small) frame += static_cast<char>(payload.size() & 0xFFU);
  return connection_.Raw(frame.append(payload));
}

bool StandInWebSocket::Heard(int wait_millis) {
  return !unread_.empty() || connection_.Readable(wait_millis);
}

std::optional<std::string> StandInWebSocket::Receive() {
  const std::optional<std::string> head = Read(2);
  if (!head) return std::nullopt;
  const auto second = static_cast<unsigned char>((*head)[1]);
  if ((second & kMasked) == 0) return std::nullopt;  // no client's
  std::uint64_t length = second & 0x7FU;
  if (length >= 126) {
    const std::optional<std::string> more = Read(length == 126 ? 2 : 8);
    if (!more) return std::nullopt;
    length = Number(*more);
  }
  const std::optional<std::string> mask = Read(kMaskBytes);
  std::optional<std::string> payload = mask ? Read(length) : std::nullopt;
  if (!payload || (static_cast<unsigned char>((*head)[0]) & 0xFU) == kClose) return std::nullopt;
  for (std::size_t i = 0; i < payload->size(); ++i) {
    (*payload)[i] = static_cast<char>((*payload)[i] ^ (*mask)[i % kMaskBytes]);
  }
  return payload;
}

std::optional<std::string> StandInWebSocket::Read(std::size_t bytes) {
  while (unread_.size() < bytes) {
    const std::string more = connection_.ReadRaw();
    if (more.empty()) return std::nullopt;
    unread_ += more;
  }
  std::string read = unread_.substr(0, bytes);
  unread_.erase(0, bytes);
  return read;
}

}  // namespace tidewaiter::testing
