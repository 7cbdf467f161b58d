#include "client/terminal_text.h"

#include <algorithm>

#include "base/printable.h"

namespace tidewaiter::client {
namespace {

bool IsContinuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string TerminalSafe(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= max_bytes) return out + "...";
    // Quotes and backslashes are ASCII, so a split at them never parts a character.
    const std::size_t end = std::min(text.find_first_of("'\\"), text.size());
    out += Printable(text.substr(0, end), max_bytes - out.size());
    if (end < text.size()) out += text[end];
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::size_t ColumnsOf(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Wrap(std::string_view text, std::size_t columns, std::size_t indent) {
  if (columns == 0) return std::string(text);
  const std::size_t room = columns > indent ? columns - indent : 1;
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    const std::size_t width = ColumnsOf(word);
    if (used > 0 && used + 1 + width > room) {
      out.append("\n").append(indent, ' ');
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string Fit(std::string_view text, std::size_t columns) {
  const std::size_t width = ColumnsOf(text);
  std::string out(text);
  if (width <= columns) return out.append(columns - width, ' ');
  const std::size_t kept = columns >= 4 ? columns - 3 : columns;
  std::size_t bytes = 0;
  for (std::size_t count = 0; bytes < text.size(); ++bytes) {
    if (!IsContinuation(text[bytes]) && count++ == kept) break;
  }
  out.resize(bytes);
  return columns >= 4 ? out + "..." : out;
}

}  // namespace tidewaiter::client
