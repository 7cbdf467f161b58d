#include "broker/io/http_upgrade.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "broker/io/blocking_socket.h"
#include "broker/io/http_body.h"
#include "broker/io/http_head.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxHeadBytes = std::size_t{16} << 10U;  // of interim answers too
constexpr std::size_t kMaxRefusalBytes = std::size_t{4} << 10U;
// A refusal whose text does not come to its end is still a refusal.
constexpr std::chrono::seconds kRefusalWait{2};
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kSwitchingProtocols = 101;
constexpr int kOk = 200;

struct Answer {
  HttpHead head;
  std::string early;  // what came after the head
};

// The first answer that is not an interim one (RFC 9110, 15.2).
Result<Answer> ReceiveAnswer(BlockingSocket& socket, Deadline deadline) {
  std::string buffer;
  std::size_t interim_bytes = 0;
  for (;;) {
    const std::size_t end = buffer.find(kEndOfHead);
    if (end == std::string::npos) {
      const std::size_t taken = interim_bytes + buffer.size();
      if (taken >= kMaxHeadBytes) {
        return Fail(ErrorCode::kResourceExhausted, "the answer's header is longer than " +
                                                       std::to_string(kMaxHeadBytes) + " bytes");
      }
      TW_ASSIGN(const std::size_t got, socket.Receive(buffer, kMaxHeadBytes - taken, deadline));
      if (got == 0) {
        return Fail(ErrorCode::kUnavailable, "the connection was closed before an answer came");
      }
      continue;
    }
    const std::size_t head_bytes = end + kEndOfHead.size();
    std::optional<HttpHead> head = ParseHttpHead(std::string_view(buffer).substr(0, head_bytes));
    if (!head) return Fail(ErrorCode::kInternal, "the answer is not HTTP");
    buffer.erase(0, head_bytes);
    if (head->status >= kOk || head->status == kSwitchingProtocols) {
      return Answer{.head = *std::move(head), .early = std::move(buffer)};
    }
    interim_bytes += head_bytes;
  }
}

// As much of the refusal's text as comes in time.
std::string ReceiveRefusal(BlockingSocket& socket, Answer answer, Deadline deadline) {
  const Deadline patience = deadline.Sooner(Deadline::After(kRefusalWait));
  std::string raw = std::move(answer.early);
  for (;;) {
    HttpBody body = ReadHttpBody(answer.head, raw, kMaxRefusalBytes);
    if (body.complete) return std::move(body.text);
    const Result<std::size_t> got = socket.Receive(raw, kMaxRefusalBytes, patience);
    if (!got || *got == 0) return std::move(body.text);
  }
}

ErrorCode CodeOfStatus(int status) {
  switch (status) {
    case 400: return ErrorCode::kInvalidArgument;
    case 404: return ErrorCode::kNotFound;
    case 409: return ErrorCode::kAlreadyExists;
    default:
      return status >= 400 && status < 500 ? ErrorCode::kFailedPrecondition : ErrorCode::kInternal;
  }
}

Result<UpgradedConnection> Upgrade(const std::string& unix_socket, const std::string& target,
                                   const std::stop_token& stop, Deadline deadline) {
  if (!target.starts_with('/') || HasControl(target) || target.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "not a target that can be asked for");
  }
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
  TW_ASSIGN(BlockingSocket socket, BlockingSocket::Connect(unix_socket, stop, deadline));
  TW_TRY(socket.Send("POST " + target +
                         " HTTP/1.1\r\nHost: docker\r\nUser-Agent: tidewaiter\r\n"
                         "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
                     deadline));
  TW_ASSIGN(Answer answer, ReceiveAnswer(socket, deadline));
  const int status = answer.head.status;
  if (status == kSwitchingProtocols || status == kOk) {
    return UpgradedConnection{.fd = socket.Release(), .early = std::move(answer.early)};
  }
  const std::string text = ReceiveRefusal(socket, std::move(answer), deadline);
  return Fail(CodeOfStatus(status),
              "the answer is " + std::to_string(status) + ": " + Printable(text, kMaxRefusalBytes),
              "UPGRADE_REFUSED");
}

}  // namespace

Result<UpgradedConnection> UpgradeConnection(const std::string& unix_socket,
                                             const std::string& target, const std::stop_token& stop,
                                             Deadline deadline) {
  Result<UpgradedConnection> connection = Upgrade(unix_socket, target, stop, deadline);
  if (!connection) return connection.error().Within("open stream " + Quoted(target));
  return connection;
}

}  // namespace tidewaiter::io
