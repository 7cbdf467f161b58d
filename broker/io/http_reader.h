// One GET on a Unix socket whose answer may be long, read by the calling thread at its own pace:
// what it does not take, the other side keeps. io::HttpClient's answers come at the loop's pace.
// One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"
#include "broker/io/chunked_body.h"

namespace tidewaiter::io {

class HttpReader {
 public:
  using Sink = std::function<void(std::string_view)>;

  // Until the answer's head has come. Errors: those of BlockingSocket and ReceiveAnswer,
  // INVALID_ARGUMENT (a target that cannot be asked for), INTERNAL (an answer that does not tell
  // where it ends).
  static Result<HttpReader> Get(const std::string& unix_socket, const std::string& target,
                                const std::stop_token& stop, Deadline deadline);

  [[nodiscard]] int status() const noexcept { return status_; }
  // Of an answer other than 200, as ReceiveRefusal; nothing is left to read then.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

  // Hands over what comes next; false: the body is complete. Errors: those of BlockingSocket,
  // UNAVAILABLE where the connection ends before the body does, INTERNAL where it is broken.
  Result<bool> Read(const Sink& sink, Deadline deadline);

 private:
  explicit HttpReader(BlockingSocket socket) : socket_(std::move(socket)) {}
  Result<bool> Take(std::string_view data, const Sink& sink);

  BlockingSocket socket_;
  int status_ = 0;
  std::string refusal_;
  std::string early_;
  std::optional<std::uint64_t> left_;  // of a body whose length was told; else it is in chunks
  ChunkedBody chunks_;
};

}  // namespace tidewaiter::io
