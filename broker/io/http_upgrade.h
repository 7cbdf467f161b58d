// Asks an HTTP server on a Unix socket to leave HTTP (RFC 9110, 7.8). Blocks the calling thread in
// poll(2), never the loop's; a stop token wakes it.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::io {

struct UpgradedConnection {
  UniqueFd fd;        // not blocking
  std::string early;  // what arrived with the answer's header: the first bytes of the stream
};

// Errors as DuplexStream::Open.
Result<UpgradedConnection> UpgradeConnection(const std::string& unix_socket,
                                             const std::string& target, const std::stop_token& stop,
                                             Deadline deadline);

}  // namespace tidewaiter::io
