#include "broker/io/websocket_handshake.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"

namespace tidewaiter::io {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3

char LowerChar(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Of ASCII; `lower_case` is.
bool IsSame(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return LowerChar(a) == b; });
}

bool IsOfTheHandshake(std::string_view name) {
  constexpr std::string_view kPrefix = "sec-websocket-";
  return IsSame(name, "host") || IsSame(name, "connection") || IsSame(name, "upgrade") ||
         IsSame(name, "user-agent") || IsSame(name.substr(0, kPrefix.size()), kPrefix);
}

// Host and target of "SCHEME://HOST[/...][?...]".
std::pair<std::string, std::string> Split(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find('#'));
  const std::size_t end = std::min(url.find_first_of("/?"), url.size());
  std::string target(url.substr(end));
  if (!target.starts_with('/')) target.insert(0, 1, '/');
  return {std::string(url.substr(0, end)), std::move(target)};
}

// Whether one of a comma-separated list is `lower_case`, in all fields of that name together (RFC
// 9110, 5.3).
bool ListHas(const HttpHeaders& headers, std::string_view name, std::string_view lower_case) {
  for (const auto& [key, list] : headers) {
    std::string_view rest = key == name ? std::string_view(list) : std::string_view();
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
      if (IsSame(item.substr(0, item.find_last_not_of(" \t") + 1), lower_case)) return true;
    }
  }
  return false;
}

// A field of which there may be but one.
bool IsOnly(const HttpHeaders& headers, std::string_view name, std::string_view value) {
  return FindHeader(headers, name) == value &&
         std::count_if(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.first == name; }) == 1;
}

Error NotAgreed(std::string what) {
  return Fail(ErrorCode::kInternal, "the answer does not go on in WebSocket: " + std::move(what));
}

}  // namespace

std::string WebSocketAccept(std::string_view key) {
  std::string text(key);
  text += kGuid;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  // SHA-1 is what the protocol has; nothing rests on it but that the other side knows WebSocket.
  SHA1(static_cast<const unsigned char*>(static_cast<const void*>(text.data())), text.size(),
       digest.data());
  return EncodeBase64(
      {static_cast<const char*>(static_cast<const void*>(digest.data())), digest.size()});
}

Result<std::string> WebSocketRequest(const HttpRequest& request, std::string_view subprotocol,
                                     std::string_view key) {
  const bool own_headers =
      std::any_of(request.headers.begin(), request.headers.end(),
                  [](const auto& header) { return IsOfTheHandshake(header.first); });
  if (request.method != "GET" || !request.body.empty() || own_headers ||
      !IsHttpToken(subprotocol)) {
    return Fail(ErrorCode::kInvalidArgument, "not a request that can ask for WebSocket");
  }
  const auto [host, target] = Split(request.url);
  std::string head = "GET " + target + " HTTP/1.1\r\nHost: " + host +
                     "\r\nUser-Agent: tidewaiter\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\n";
  head.append("Sec-WebSocket-Key: ").append(key).append("\r\n");
  head.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  for (const auto& [name, value] : request.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  return head + "\r\n";
}

Result<void> CheckWebSocketAnswer(const HttpHead& head, std::string_view subprotocol,
                                  std::string_view key) {
  if (!IsSame(FindHeader(head.headers, "upgrade"), "websocket") ||
      !ListHas(head.headers, "connection", "upgrade")) {
    return NotAgreed("its Upgrade or Connection is for something else");
  }
  if (!IsOnly(head.headers, "sec-websocket-accept", WebSocketAccept(key))) {
    return NotAgreed("its Sec-WebSocket-Accept is not for the key that was sent");
  }
  if (!FindHeader(head.headers, "sec-websocket-extensions").empty()) {
    return NotAgreed("it uses an extension that nobody asked for");
  }
  if (!IsOnly(head.headers, "sec-websocket-protocol", subprotocol)) {
    return NotAgreed("its subprotocol is " +
                     Quoted(FindHeader(head.headers, "sec-websocket-protocol")));
  }
  return Ok();
}

}  // namespace tidewaiter::io
