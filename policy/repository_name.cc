#include "policy/repository_name.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035, without the final dot
constexpr std::size_t kMaxLabel = 63;

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool IsLowerAlnum(char c) noexcept {
  return IsDigit(c) || (c >= 'a' && c <= 'z');
}

bool IsPort(std::string_view port) noexcept {
  if (port.empty() || port.size() > 5 || port.front() == '0') return false;
  unsigned value = 0;
  for (const char c : port) {
    if (!IsDigit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535;
}

bool IsHostLabel(std::string_view label) noexcept {
  if (label.empty() || label.size() > kMaxLabel) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return IsLowerAlnum(c) || c == '-'; });
}

bool IsHostName(std::string_view host) noexcept {
  if (host.size() > kMaxHost) return false;
  while (true) {
    const std::size_t dot = host.find('.');
    if (!IsHostLabel(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

// The reference grammar has hexadecimal digits and colons only: no zone, no embedded IPv4.
bool IsIpv6(std::string_view address) noexcept {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.empty() || address.size() >= text.size()) return false;
  for (const char c : address) {
    if (!IsDigit(c) && !(c >= 'a' && c <= 'f') && c != ':') return false;
  }
  std::copy(address.begin(), address.end(), text.begin());
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, text.data(), &parsed) == 1;
}

}  // namespace

bool IsRegistryName(std::string_view registry) noexcept {
  if (registry.empty()) return false;
  if (registry.front() == '[') {
    const std::size_t close = registry.find(']');
    if (close == std::string_view::npos || !IsIpv6(registry.substr(1, close - 1))) return false;
    const std::string_view rest = registry.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1)));
  }
  const std::size_t colon = registry.find(':');
  if (!IsHostName(registry.substr(0, colon))) return false;
  return colon == std::string_view::npos || IsPort(registry.substr(colon + 1));
}

bool IsPathSegment(std::string_view segment) noexcept {
  std::size_t i = 0;
  while (true) {
    const std::size_t run = i;
    while (i < segment.size() && IsLowerAlnum(segment[i])) ++i;
    if (i == run) return false;  // a segment starts, ends and goes on after a separator with a run
    if (i == segment.size()) return true;
    const char separator = segment[i];
    const std::size_t begin = i;
    while (i < segment.size() && segment[i] == separator) ++i;
    const std::size_t length = i - begin;
    const bool valid = (separator == '-') || (separator == '.' && length == 1) ||
                       (separator == '_' && length <= 2);
    if (!valid) return false;
  }
}

bool IsRepositoryPath(std::string_view path) noexcept {
  while (true) {
    const std::size_t slash = path.find('/');
    if (!IsPathSegment(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace tidewaiter::policy
