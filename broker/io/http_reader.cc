#include "broker/io/http_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/printable.h"
#include "broker/io/http_answer.h"

namespace tidewaiter::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10U;
constexpr int kOk = 200;

std::optional<std::uint64_t> Length(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<HttpReader> HttpReader::Get(const std::string& unix_socket, const std::string& target,
                                   const std::stop_token& stop, Deadline deadline) {
  if (!target.starts_with('/') || HasControl(target) || target.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "not a target that can be asked for");
  }
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
  TW_ASSIGN(BlockingSocket socket, BlockingSocket::Connect(unix_socket, stop, deadline));
  TW_TRY(socket.Send("GET " + target +
                         " HTTP/1.1\r\nHost: docker\r\nUser-Agent: tidewaiter\r\n"
                         "Connection: close\r\n\r\n",
                     deadline));
  TW_ASSIGN(HttpAnswer answer, ReceiveAnswer(socket, deadline));
  HttpReader reader(std::move(socket));
  reader.status_ = answer.head.status;
  if (reader.status_ != kOk) {
    reader.refusal_ = ReceiveRefusal(reader.socket_, std::move(answer), deadline);
    return reader;
  }
  // Chunks win over a length (RFC 9112, 6.3).
  if (FindHeader(answer.head.headers, "transfer-encoding") != "chunked") {
    reader.left_ = Length(FindHeader(answer.head.headers, "content-length"));
    if (!reader.left_) return Fail(ErrorCode::kInternal, "the answer does not tell where it ends");
  }
  reader.early_ = std::move(answer.early);
  return reader;
}

Result<bool> HttpReader::Read(const Sink& sink, Deadline deadline) {
  if (status_ != kOk || chunks_.complete() || left_ == 0) return false;
  std::string data = std::exchange(early_, {});
  if (data.empty()) {
    TW_ASSIGN(const std::size_t got, socket_.Receive(data, kReadBytes, deadline));
    if (got == 0) {
      return Fail(ErrorCode::kUnavailable, "the connection was closed within an answer");
    }
  }
  return Take(data, sink);
}

Result<bool> HttpReader::Take(std::string_view data, const Sink& sink) {
  if (!left_) {
    TW_TRY(chunks_.Feed(data, sink));
    return !chunks_.complete();
  }
  const std::string_view here = data.substr(0, std::min<std::uint64_t>(*left_, data.size()));
  *left_ -= here.size();
  sink(here);
  return *left_ != 0;
}

}  // namespace tidewaiter::io
