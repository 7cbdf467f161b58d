// The body of an engine's refusal, read again as more of it comes: never longer than its limit or
// than what came, what was read stays read, and what was complete does not change.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/io/http_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::io;
  constexpr std::size_t kMaxBytes = 64;
  // Framing alone may end a body early, from four times its limit on.
  constexpr std::size_t kFramingOnly = kMaxBytes * 4;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const auto head = ParseHttpHead(text.substr(0, end + 4));
  if (!head) return 0;
  const std::string_view raw = text.substr(end + 4);
  HttpBody before = ReadHttpBody(*head, {}, kMaxBytes);
  for (std::size_t came = 1; came <= raw.size() && came <= kFramingOnly * 2; ++came) {
    const HttpBody now = ReadHttpBody(*head, raw.substr(0, came), kMaxBytes);
    if (now.text.size() > kMaxBytes || now.text.size() > came) std::abort();
    if (!now.text.starts_with(before.text)) std::abort();
    if (before.complete && !now.complete) std::abort();
    if (before.complete && came < kFramingOnly && now.text != before.text) std::abort();
    before = now;
  }
  return 0;
}
