#include "base/toml_lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tidewaiter {
namespace {

bool StartsWithTriple(std::string_view text, std::size_t at, char quote) noexcept {
  return at + 2 < text.size() && text[at] == quote && text[at + 1] == quote &&
         text[at + 2] == quote;
}

bool IsBareKeyCharacter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

void AppendUtf8(std::string& out, std::uint32_t code_point) {
  const auto append = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80U) return append(code_point);
  if (code_point < 0x800U) {
    append(0xC0U | (code_point >> 6U));
  } else if (code_point < 0x10000U) {
    append(0xE0U | (code_point >> 12U));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
  } else {
    append(0xF0U | (code_point >> 18U));
    append(0x80U | ((code_point >> 12U) & 0x3FU));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
  }
  append(0x80U | (code_point & 0x3FU));
}

// Takes what follows a backslash off `rest` and appends what it means; false: no escape of TOML.
bool TakeEscape(std::string_view& rest, std::string& out) {
  constexpr std::string_view kNames = "btnfr\"\\";
  constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
  if (rest.empty()) return false;
  const char name = rest.front();
  rest.remove_prefix(1);
  if (const std::size_t index = kNames.find(name); index != std::string_view::npos) {
    out += kMeanings[index];
    return true;
  }
  if (name != 'u' && name != 'U') return false;
  const std::string_view digits = rest.substr(0, name == 'u' ? 4 : 8);
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return false;
  if (digits.size() != (name == 'u' ? 4U : 8U) || value > 0x10FFFFU) return false;
  AppendUtf8(out, value);
  rest.remove_prefix(digits.size());
  return true;
}

// What stands between the quotes of a single-line string, its escapes resolved.
std::optional<std::string> Unquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.back() != quoted.front()) return std::nullopt;
  const bool literal = quoted.front() == '\'';
  std::string_view rest = quoted.substr(1, quoted.size() - 2);
  if (literal) return std::string(rest);
  std::string name;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '\\') {
      name += c;
    } else if (!TakeEscape(rest, name)) {
      return std::nullopt;
    }
  }
  return name;
}

}  // namespace

TomlPosition TomlRuler::At(std::size_t offset) noexcept {
  for (; offset_ < offset; ++offset_) {
    const auto byte = static_cast<unsigned char>(text_[offset_]);
    if (byte == '\n') {
      position_ = {position_.line + 1, 1};
    } else if ((byte & 0xC0U) != 0x80U) {  // not the middle of a code point
      ++position_.column;
    }
  }
  return position_;
}

std::size_t SkipTomlString(std::string_view text, std::size_t at) noexcept {
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

std::size_t SkipTomlBlanks(std::string_view text, std::size_t at) noexcept {
  return std::min(text.find_first_not_of(" \t", at), text.size());
}

std::optional<std::vector<TomlKeyPart>> ReadTomlKey(std::string_view text, std::size_t at) {
  std::vector<TomlKeyPart> parts;
  while (at < text.size()) {
    TomlKeyPart part{.name = {}, .begin = at, .end = at};
    if (text[at] == '"' || text[at] == '\'') {
      if (StartsWithTriple(text, at, text[at])) return std::nullopt;
      part.end = SkipTomlString(text, at);
      auto name = Unquote(text.substr(at, part.end - at));
      if (!name) return std::nullopt;
      part.name = *std::move(name);
    } else {
      while (part.end < text.size() && IsBareKeyCharacter(text[part.end])) ++part.end;
      if (part.end == at) return std::nullopt;
      part.name = text.substr(at, part.end - at);
    }
    const std::size_t next = SkipTomlBlanks(text, part.end);
    parts.push_back(std::move(part));
    if (next >= text.size() || text[next] != '.') return parts;
    at = SkipTomlBlanks(text, next + 1);
  }
  return std::nullopt;
}

}  // namespace tidewaiter
