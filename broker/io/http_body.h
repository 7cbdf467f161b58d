// The body of a short HTTP/1.1 answer, read from what has come so far (RFC 9112, 6 and 7). Pure;
// the bytes are a stranger's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "broker/io/http_head.h"

namespace tidewaiter::io {

struct HttpBody {
  std::string text;       // without the chunks' framing, cut at the limit
  bool complete = false;  // nothing more is to come, or nothing that would change `text`
};

// `raw` is what followed `head` on the connection; it may hold more than the body. A body whose
// length nothing tells is never complete before its limit: it ends with the connection.
HttpBody ReadHttpBody(const HttpHead& head, std::string_view raw, std::size_t max_bytes);

}  // namespace tidewaiter::io
