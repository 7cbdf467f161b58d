#include "base/printable.h"

#include <cstdint>

#include "base/mask_credentials.h"

namespace tidewaiter {
namespace {

struct Decoded {
  std::size_t length = 0;  // 0: not UTF-8
  std::uint32_t code_point = 0;
};

// The first character of a text that is not empty.
Decoded DecodeOne(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const auto continues = [&](std::size_t i) {
    return i < text.size() && (byte(i) & 0xC0U) == 0x80U;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80U) return {1, first};
  if (first >= 0xC2U && first <= 0xDFU && continues(1)) {
    return {2, ((first & 0x1FU) << 6U) | (byte(1) & 0x3FU)};
  }
  if (first >= 0xE0U && first <= 0xEFU && continues(1) && continues(2)) {
    const std::uint32_t value =
        ((first & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
    const bool surrogate = value >= 0xD800U && value <= 0xDFFFU;
    return value >= 0x800U && !surrogate ? Decoded{3, value} : Decoded{};
  }
  if (first >= 0xF0U && first <= 0xF4U && continues(1) && continues(2) && continues(3)) {
    const std::uint32_t value = ((first & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) |
                                ((byte(2) & 0x3FU) << 6U) | (byte(3) & 0x3FU);
    return value >= 0x10000U && value <= 0x10FFFFU ? Decoded{4, value} : Decoded{};
  }
  return {};
}

bool IsDangerous(std::uint32_t c) noexcept {
  if (c < 0x20U || (c >= 0x7FU && c <= 0x9FU)) return true;
  // Marks, embeddings, overrides and isolates of the bidirectional algorithm; line and paragraph
  // separators.
  return c == 0x061CU || (c >= 0x200BU && c <= 0x200FU) || (c >= 0x2028U && c <= 0x202EU) ||
         (c >= 0x2066U && c <= 0x2069U) || c == 0xFEFFU;
}

void AppendEscaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[value >> 4U];
    out += kHex[value & 0xFU];
  }
}

std::string Escape(std::string_view text, std::size_t max_bytes, bool quotes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= max_bytes) return out + "...";
    const auto [length, code_point] = DecodeOne(text);
    const std::string_view bytes = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || IsDangerous(code_point)) {
      AppendEscaped(out, bytes);
    } else {
      if (code_point == '\\' || (quotes && code_point == '\'')) out += '\\';
      out += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace

bool IsUtf8(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) < 0x80U) {  // what most text is made of
      ++at;
      continue;
    }
    const std::size_t length = DecodeOne(text.substr(at)).length;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool HasControl(std::string_view text) noexcept {
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (value < 0x20U || value == 0x7FU) return true;
  }
  return false;
}

std::string Printable(std::string_view text, std::size_t max_bytes) {
  return Escape(text, max_bytes, false);
}

std::string Quoted(std::string_view text, std::size_t max_bytes) {
  // Before it is cut: of a password that is cut amid it nobody could tell that it is one.
  return '\'' + Escape(MaskCredentials(text), max_bytes, true) + '\'';
}

}  // namespace tidewaiter
