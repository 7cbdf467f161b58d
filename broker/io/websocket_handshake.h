// How a client asks an HTTP server to go on in WebSocket, and what it takes for a yes (RFC 6455,
// 4). Pure; the answer is a stranger's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/io/http_head.h"

namespace tidewaiter::io {

// What Sec-WebSocket-Accept must say where Sec-WebSocket-Key said `key`.
std::string WebSocketAccept(std::string_view key);

// The head of the request, to its blank line. INVALID_ARGUMENT where `request` is no GET without a
// body, or has headers that are the handshake's own, or `subprotocol` is no token. That the URL and
// headers can be written down is for the caller to have checked (HttpTarget::sendable).
Result<std::string> WebSocketRequest(const HttpRequest& request, std::string_view subprotocol,
                                     std::string_view key);

// Of an answer of 101. INTERNAL: it does not go on in WebSocket, or not as it was asked.
Result<void> CheckWebSocketAnswer(const HttpHead& head, std::string_view subprotocol,
                                  std::string_view key);

}  // namespace tidewaiter::io
