#include "base/toml_nesting.h"

namespace tidewaiter {
namespace {

bool StartsWithTriple(std::string_view text, std::size_t at, char quote) noexcept {
  return at + 2 < text.size() && text[at] == quote && text[at + 1] == quote &&
         text[at + 2] == quote;
}

// The index after the string that opens at `at`. A single-line string also ends at its line's end,
// where a parser gives up.
std::size_t SkipString(std::string_view text, std::size_t at) noexcept {
  const char quote = text[at];
  const bool triple = StartsWithTriple(text, at, quote);
  std::size_t i = at + (triple ? 3 : 1);
  while (i < text.size()) {
    if (quote == '"' && text[i] == '\\') {
      i += 2;
    } else if (triple && StartsWithTriple(text, i, quote)) {
      i += 3;
      // Up to two more quotes belong to the content: """a""""" is the string a"".
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    } else if (!triple && text[i] == quote) {
      return i + 1;
    } else if (!triple && text[i] == '\n') {
      return i;
    } else {
      ++i;
    }
  }
  return text.size();
}

TomlPosition PositionOf(std::string_view text, std::size_t at) noexcept {
  TomlPosition position;
  for (std::size_t i = 0; i < at; ++i) {
    ++position.column;
    if (text[i] == '\n') position = {position.line + 1, 1};
  }
  return position;
}

}  // namespace

std::optional<TomlPosition> FindDeepNesting(std::string_view text, std::size_t limit) noexcept {
  std::size_t depth = 0;
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
      case '\'': i = SkipString(text, i); continue;
      case '#':
        while (i < text.size() && text[i] != '\n') ++i;
        continue;
      case '.': ++dots; break;
      case '[':
      case '{':
        ++depth;
        dots = 0;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        dots = 0;
        break;
      case '=':
      case ',':
      case '\n': dots = 0; break;
      default: break;
    }
    if (depth > limit || dots > limit) return PositionOf(text, i);
    ++i;
  }
  return std::nullopt;
}

}  // namespace tidewaiter
