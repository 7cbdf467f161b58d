// A TCP connection for straight-line code, by name or address. Looking a name up cannot be
// interrupted (getaddrinfo(3)), so that happens on a thread that is left behind where the caller's
// patience ends first. Never on the loop's thread.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"

namespace tidewaiter::io {

// `host` is a name or an address, an IPv6 one without brackets. Each address that a name has is
// tried in turn. Errors: UNAVAILABLE (CONNECT_FAILED: no such name, nobody listens),
// DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED.
Result<BlockingSocket> ConnectTcp(const std::string& host, std::uint16_t port,
                                  const std::stop_token& stop, Deadline deadline);

}  // namespace tidewaiter::io
