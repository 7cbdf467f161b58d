#include "broker/io/http_body.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

namespace tidewaiter::io {
namespace {

// The number at the start of `text`; nothing where there is none or it is too large.
std::optional<std::size_t> NumberOf(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

HttpBody ReadChunks(std::string_view raw, std::size_t max_bytes) {
  // Framing costs bytes too: chunks of one byte are cut off by how much was sent, not by their
  // text.
  const bool framing_only = raw.size() >= max_bytes * 4;
  HttpBody body{.text = {}, .complete = framing_only};
  while (body.text.size() < max_bytes) {
    const std::size_t line_end = raw.find("\r\n");
    if (line_end == std::string_view::npos) return body;
    const std::optional<std::size_t> size = NumberOf(raw.substr(0, line_end), 16);
    if (!size || *size == 0) {  // not chunks, or the last one
      body.complete = true;
      return body;
    }
    raw.remove_prefix(line_end + 2);
    const std::size_t here = std::min(*size, raw.size());
    body.text.append(raw.substr(0, std::min(here, max_bytes - body.text.size())));
    raw.remove_prefix(here);
    if (!raw.starts_with("\r\n")) {
      body.complete = body.complete || (here == *size && raw.size() >= 2);  // broken framing
      return body;
    }
    raw.remove_prefix(2);
  }
  body.complete = true;
  return body;
}

}  // namespace

HttpBody ReadHttpBody(const HttpHead& head, std::string_view raw, std::size_t max_bytes) {
  if (FindHeader(head.headers, "transfer-encoding") == "chunked") {
    HttpBody body = ReadChunks(raw, max_bytes);
    body.complete = body.complete || body.text.size() >= max_bytes;
    return body;
  }
  const std::size_t wanted = std::min(
      NumberOf(FindHeader(head.headers, "content-length"), 10).value_or(max_bytes), max_bytes);
  return HttpBody{.text = std::string(raw.substr(0, wanted)), .complete = raw.size() >= wanted};
}

}  // namespace tidewaiter::io
