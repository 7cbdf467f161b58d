#include "broker/config/loopback_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>

namespace tidewaiter::config {
namespace {

constexpr std::uint32_t kLoopbackNet = 127;  // the first byte of 127.0.0.0/8

// As a decimal without signs and leading zeros.
std::optional<std::uint16_t> PortOf(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end || text.front() == '0') return std::nullopt;
  return port;
}

template <typename Address>
LoopbackAddress Store(const Address& address) {
  LoopbackAddress stored;
  std::memcpy(&stored.storage, &address, sizeof(address));
  stored.size = sizeof(address);
  return stored;
}

}  // namespace

std::optional<LoopbackAddress> ParseLoopbackAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::optional<std::uint16_t> port = PortOf(text.substr(colon + 1));
  if (!port) return std::nullopt;
  const std::string host(text.substr(0, colon));
  if (host == "[::1]") {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(*port);
    address.sin6_addr = in6addr_loopback;
    return Store(address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  // inet_pton(3) takes four decimals and nothing shorter, unlike inet_aton(3).
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return std::nullopt;
  if (ntohl(address.sin_addr.s_addr) >> 24U != kLoopbackNet) return std::nullopt;
  return Store(address);
}

}  // namespace tidewaiter::config
