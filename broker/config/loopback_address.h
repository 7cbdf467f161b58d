// An address of this machine that no other one reaches, as "127.0.0.1:9177" or "[::1]:9177". Names
// are none: what `localhost` means is for a resolver to say. Pure.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string_view>

namespace tidewaiter::config {

// For bind(2).
struct LoopbackAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Nothing where the host is not in 127.0.0.0/8 and not ::1, or the port is not 1 to 65535.
std::optional<LoopbackAddress> ParseLoopbackAddress(std::string_view text);

}  // namespace tidewaiter::config
