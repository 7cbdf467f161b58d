// One HTTP/1.1 exchange on a connection that is already there, for tests that stand between two
// programs: the answer is read whole, its framing undone.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

struct HttpAnswer {
  int status = 0;       // 0: the connection ended first
  std::string head;     // as it came, with the empty line at its end
  std::string body;     // decoded; of a stream (see below) what came with the head
  bool stream = false;  // 101, or an answer that has no end: what follows is still unread
};

// An address is a Unix socket's path, or "127.0.0.1:PORT".
inline bool IsPath(const std::string& address) {
  return address.starts_with('/');
}
// Invalid where nobody listens.
UniqueFd ConnectTo(const std::string& address);

// False where the peer is gone.
bool SendAll(int fd, std::string_view data);
// Appends what comes next; false at its end or error.
bool ReceiveMore(int fd, std::string& buffer);

std::string LowerCase(std::string_view text);

// Reads the answer to a request that has been sent. `endless`: its body has no end, so only the
// head is read.
HttpAnswer ReadAnswer(int fd, bool endless);

// The answer as it would be sent with this body, framed by its length. `claimed`: what the head
// says of the length; negative: the truth.
std::string Framed(const HttpAnswer& answer, std::string_view body, long claimed = -1);

// Copies bytes both ways until one side ends.
void Splice(int one, int other);

}  // namespace tidewaiter::testing
