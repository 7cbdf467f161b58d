#include "broker/kubernetes/server_url.h"

#include <algorithm>
#include <charconv>

#include "base/printable.h"
#include "broker/kubernetes/kubeconfig_entries.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::size_t kMaxUrl = 2048;

bool IsOneOf(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

bool IsHost(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    return host.find(':') != std::string_view::npos && IsOneOf(host, ":.");
  }
  return !host.empty() && IsOneOf(host, "-._");
}

bool IsPort(std::string_view port) {
  unsigned value = 0;
  const char* const end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, value);
  return error == std::errc() && rest == end && value > 0 && value <= 65535;
}

bool IsPrefix(std::string_view path) {
  // libcurl would take dot segments away, and so would the server: differently, perhaps.
  const std::string closed = std::string(path) + "/";
  return IsOneOf(path, "/-._~%") && closed.find("/../") == std::string::npos &&
         closed.find("/./") == std::string::npos;
}

}  // namespace

std::string UrlHost(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

Result<std::string> ReadServerUrl(std::string_view text) {
  const Error bad =
      KubeconfigFault("server: " + Quoted(text) + ": https://HOST[:PORT][/PREFIX] is expected");
  std::string_view rest = text;
  if (text.size() > kMaxUrl) return bad;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return bad;
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::string_view path = rest.substr(authority.size());
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  const std::string_view host = has_port ? authority.substr(0, colon) : authority;
  if (!IsHost(host) || (has_port && !IsPort(authority.substr(colon + 1))) || !IsPrefix(path)) {
    return bad;
  }
  text = text.substr(0, text.find_last_not_of('/') + 1);
  return std::string(text);
}

}  // namespace tidewaiter::kubernetes
