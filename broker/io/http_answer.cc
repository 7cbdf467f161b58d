#include "broker/io/http_answer.h"

#include <chrono>
#include <optional>
#include <utility>

#include "broker/io/http_body.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kMaxHeadBytes = std::size_t{16} << 10U;  // of interim answers too
constexpr std::size_t kMaxRefusalBytes = std::size_t{4} << 10U;
// A refusal whose text does not come to its end is still a refusal.
constexpr std::chrono::seconds kRefusalWait{2};
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kSwitchingProtocols = 101;
constexpr int kOk = 200;

ReceiveBytes From(BlockingSocket& socket) {
  return [&socket](std::string& buffer, std::size_t limit, Deadline deadline) {
    return socket.Receive(buffer, limit, deadline);
  };
}

}  // namespace

Result<HttpAnswer> ReceiveAnswer(const ReceiveBytes& receive, Deadline deadline) {
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
      TW_ASSIGN(const std::size_t got, receive(buffer, kMaxHeadBytes - taken, deadline));
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
      return HttpAnswer{.head = *std::move(head), .early = std::move(buffer)};
    }
    interim_bytes += head_bytes;
  }
}

Result<HttpAnswer> ReceiveAnswer(BlockingSocket& socket, Deadline deadline) {
  return ReceiveAnswer(From(socket), deadline);
}

std::string ReceiveRefusal(const ReceiveBytes& receive, HttpAnswer answer, Deadline deadline) {
  const Deadline patience = deadline.Sooner(Deadline::After(kRefusalWait));
  std::string raw = std::move(answer.early);
  for (;;) {
    HttpBody body = ReadHttpBody(answer.head, raw, kMaxRefusalBytes);
    if (body.complete) return std::move(body.text);
    const Result<std::size_t> got = receive(raw, kMaxRefusalBytes, patience);
    if (!got || *got == 0) return std::move(body.text);
  }
}

std::string ReceiveRefusal(BlockingSocket& socket, HttpAnswer answer, Deadline deadline) {
  return ReceiveRefusal(From(socket), std::move(answer), deadline);
}

}  // namespace tidewaiter::io
