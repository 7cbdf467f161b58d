// The head of an engine's answer to an upgrade: what is accepted can be neither longer than what
// came nor carry a line of its own making.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/io/http_head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::io;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto head = ParseHttpHead(text);
  if (!head) return 0;
  if (head->status < 100 || head->status > 999) std::abort();
  if (!text.starts_with("HTTP/1.") || !text.ends_with("\r\n\r\n")) std::abort();
  std::size_t kept = 0;
  for (const auto& [name, value] : head->headers) {
    kept += name.size() + value.size();
    const bool lower =
        std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!IsHttpToken(name) || !lower) std::abort();
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) std::abort();
    // The first of that name is the one that is found.
    if (FindHeader(head->headers, name).data() == nullptr) std::abort();
  }
  if (kept > size) std::abort();
  return 0;
}
