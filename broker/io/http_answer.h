// The answer on a connection that blocks the calling thread: its head, and the text of a refusal.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"
#include "broker/io/http_head.h"

namespace tidewaiter::io {

struct HttpAnswer {
  HttpHead head;
  std::string early;  // what came after the head
};

// Appends what comes next, at most `limit` bytes, and says how many; 0 at the end.
using ReceiveBytes =
    std::function<Result<std::size_t>(std::string& buffer, std::size_t limit, Deadline deadline)>;

// The first answer that is not an interim one (RFC 9110, 15.2). Errors: those of
// receiving, UNAVAILABLE (closed before it came), RESOURCE_EXHAUSTED (a head of more than 16 KiB),
// INTERNAL (not HTTP).
Result<HttpAnswer> ReceiveAnswer(const ReceiveBytes& receive, Deadline deadline);
Result<HttpAnswer> ReceiveAnswer(BlockingSocket& socket, Deadline deadline);

// As much of a refusal's text, at most 4 KiB, as comes within two seconds.
std::string ReceiveRefusal(const ReceiveBytes& receive, HttpAnswer answer, Deadline deadline);
std::string ReceiveRefusal(BlockingSocket& socket, HttpAnswer answer, Deadline deadline);

}  // namespace tidewaiter::io
