// Where the audit log's records and checkpoints may be sent, as the configuration names it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::config {

// "unix:/dev/log" or "tls://HOST:PORT", an IPv6 address in brackets.
struct SyslogAddress {
  std::string socket_path;  // of the first form
  std::string host;         // of the second, without brackets
  std::uint16_t port = 0;
};
std::optional<SyslogAddress> ParseSyslogAddress(std::string_view text);

// "file:/path", or a URL with a path: https, or http on this machine alone.
struct CheckpointAddress {
  std::string file;  // of the first form
  std::string url;   // of the second
};
std::optional<CheckpointAddress> ParseCheckpointAddress(std::string_view text);

// "HOST:PORT" where the host is 127.0.0.0/8, [::1] or localhost.
bool IsLoopbackHostAndPort(std::string_view text);

}  // namespace tidewaiter::config
