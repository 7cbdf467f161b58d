// The head of an HTTP/1.x message: first line and header fields (RFC 9112). Pure; the text is a
// stranger's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/io/http_client.h"

namespace tidewaiter::io {

struct HttpHead {
  int status = 0;
  HttpHeaders headers;  // names in lower case, values without surrounding blanks
};

struct HttpRequestHead {
  std::string method;  // a token
  std::string path;    // as it was sent: begins with '/', visible ASCII, nothing decoded
  std::string query;   // what followed a '?'
  int minor = 0;       // of HTTP/1.x
  HttpHeaders headers;
};

// `text` from the status line to the blank line, both included. Nothing where it is not HTTP/1.x.
std::optional<HttpHead> ParseHttpHead(std::string_view text);
// The same from the request line. The target is a path: other forms are for proxies.
std::optional<HttpRequestHead> ParseHttpRequestHead(std::string_view text);

// `Name: value` without a line end, the name in lower case. Nothing where it is no header field.
std::optional<HttpHeaders::value_type> ParseHttpHeader(std::string_view line);

// The value of the first field of that lower-case name, or "".
std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) noexcept;

// Whether all of `text`, which is not empty, may stand in a method or a header's name (RFC 9110's
// token).
bool IsHttpToken(std::string_view text) noexcept;

}  // namespace tidewaiter::io
