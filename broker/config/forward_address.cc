#include "broker/config/forward_address.h"

#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "base/trusted_path.h"

namespace tidewaiter::config {
namespace {

bool IsFilePath(std::string_view path) {
  return IsNormalPath(path) && path != "/";
}

bool Take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Plain decimal, 1 to 65535.
std::optional<std::uint16_t> PortOf(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end || text.front() == '0') return std::nullopt;
  return port;
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool IsHost(std::string_view host) {
  constexpr std::size_t kMost = 253;  // RFC 1035
  if (host.starts_with('[')) {
    return host.size() > 2 && host.ends_with(']') &&
           host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == host.size() - 1;
  }
  return !host.empty() && host.size() <= kMost && host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), IsHostCharacter);
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::uint16_t> port;
};

// The port may be missing.
std::optional<HostAndPort> Split(std::string_view text) {
  HostAndPort split{.host = text, .port = std::nullopt};
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (has_port) {
    split.host = text.substr(0, colon);
    split.port = PortOf(text.substr(colon + 1));
    if (!split.port) return std::nullopt;
  }
  if (!IsHost(split.host)) return std::nullopt;
  return split;
}

// The whole 127/8 and ::1: what never leaves the machine, as the engine itself judges.
bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); }) &&
         std::count(host.begin(), host.end(), '.') == 3;
}

}  // namespace

bool IsLoopbackHostAndPort(std::string_view text) {
  const std::optional<HostAndPort> split = Split(text);
  return split && split->port && IsLoopbackHost(split->host);
}

std::optional<SyslogAddress> ParseSyslogAddress(std::string_view text) {
  SyslogAddress address;
  if (Take(text, "unix:")) {
    if (!IsFilePath(text) || text.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    address.socket_path = text;
    return address;
  }
  if (!Take(text, "tls://")) return std::nullopt;
  const std::optional<HostAndPort> split = Split(text);
  if (!split || !split->port) return std::nullopt;
  const bool brackets = split->host.starts_with('[');
  address.host = brackets ? split->host.substr(1, split->host.size() - 2) : split->host;
  address.port = *split->port;
  return address;
}

std::optional<CheckpointAddress> ParseCheckpointAddress(std::string_view text) {
  CheckpointAddress address;
  std::string_view rest = text;
  if (Take(rest, "file:")) {
    if (!IsFilePath(rest)) return std::nullopt;
    address.file = rest;
    return address;
  }
  const bool plain = !Take(rest, "https://");
  if (plain && !Take(rest, "http://")) return std::nullopt;
  const std::size_t slash = rest.find('/');
  // A path of its own: at the root of a server stands something else.
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return std::nullopt;
  const std::optional<HostAndPort> split = Split(rest.substr(0, slash));
  if (!split || (plain && !IsLoopbackHost(split->host))) return std::nullopt;
  const bool printable = std::all_of(rest.begin(), rest.end(),
                                     [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  if (!printable) return std::nullopt;
  address.url = text;
  return address;
}

}  // namespace tidewaiter::config
