// The head of a probe's request: what is accepted has a method, a path and fields in which nothing
// can begin a line of its own, and is no longer than what came.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/io/http_head.h"

namespace {

bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::io;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto head = ParseHttpRequestHead(text);
  if (!head) return 0;
  if (!text.ends_with("\r\n\r\n") || head->minor < 0 || head->minor > 9) std::abort();
  if (!IsHttpToken(head->method) || !text.starts_with(head->method)) std::abort();
  if (!head->path.starts_with('/') || !IsVisible(head->path) || !IsVisible(head->query)) {
    std::abort();
  }
  if (head->path.find('?') != std::string::npos) std::abort();
  std::size_t kept = head->method.size() + head->path.size() + head->query.size();
  for (const auto& [name, value] : head->headers) {
    kept += name.size() + value.size();
    if (!IsHttpToken(name)) std::abort();
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) std::abort();
  }
  if (kept > size) std::abort();
  return 0;
}
