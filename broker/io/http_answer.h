// The answer on a connection of BlockingSocket: its head, and the text of a refusal. Blocks the
// calling thread.
#pragma once

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

// The first answer that is not an interim one (RFC 9110, 15.2). Errors: those of the socket,
// UNAVAILABLE (closed before it came), RESOURCE_EXHAUSTED (a head of more than 16 KiB), INTERNAL
// (not HTTP).
Result<HttpAnswer> ReceiveAnswer(BlockingSocket& socket, Deadline deadline);

// As much of a refusal's text, at most 4 KiB, as comes within two seconds.
std::string ReceiveRefusal(BlockingSocket& socket, HttpAnswer answer, Deadline deadline);

}  // namespace tidewaiter::io
