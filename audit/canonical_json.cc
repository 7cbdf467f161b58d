#include "audit/canonical_json.h"

#include <algorithm>
#include <array>

#include "base/mask_credentials.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kCut = "...";
constexpr std::int64_t kMaxExact = (std::int64_t{1} << 53) - 1;

// Bytes of the character at the front of `text` (not empty); 0 where there is none.
std::size_t CharacterLength(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (IsUtf8(text.substr(0, length))) return length;
  }
  return 0;
}

// RFC 8785 section 3.2.2.2: the two-character escapes where JSON has one, else \u00xx in lower
// case.
std::string_view EscapeOf(char c, std::array<char, 6>& buffer) noexcept {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\t': return "\\t";
    case '\n': return "\\n";
    case '\f': return "\\f";
    case '\r': return "\\r";
    default: break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(c);
  if (value >= 0x20U) return {};
  buffer = {'\\', 'u', '0', '0', kHex[value >> 4U], kHex[value & 0xFU]};
  return {buffer.data(), buffer.size()};
}

}  // namespace

std::string JsonString(std::string_view value, std::size_t max_bytes) {
  const std::string masked = MaskCredentials(value);
  std::string_view text = masked;
  std::string out = "\"";
  out.reserve(std::min(text.size(), max_bytes) + 2);
  std::array<char, 6> buffer{};
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first < 0x80U ? 1 : CharacterLength(text);
    std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (length == 1) {
      if (const std::string_view escape = EscapeOf(text.front(), buffer); !escape.empty()) {
        piece = escape;
      }
    }
    if (out.size() - 1 + piece.size() > max_bytes) {
      out += kCut;
      break;
    }
    out += piece;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
  return out;
}

std::string JsonInteger(std::int64_t value) {
  return std::to_string(std::clamp(value, -kMaxExact, kMaxExact));
}

void JsonObject::Text(std::string_view name, std::string_view value) {
  Json(name, JsonString(value));
}

void JsonObject::TextIfAny(std::string_view name, std::string_view value) {
  if (!value.empty()) Text(name, value);
}

void JsonObject::Integer(std::string_view name, std::int64_t value) {
  Json(name, JsonInteger(value));
}

void JsonObject::Flag(std::string_view name, bool value) {
  Json(name, value ? "true" : "false");
}

void JsonObject::Json(std::string_view name, std::string json) {
  size_ += name.size() + json.size() + 4;
  members_.emplace_back(name, std::move(json));
}

std::string JsonObject::Finish() && {
  std::sort(members_.begin(), members_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  out.reserve(size_);
  out += '{';
  for (const auto& [name, json] : members_) {
    if (out.size() > 1) out += ',';
    out += '"';
    out += name;
    out += "\":";
    out += json;
  }
  out += '}';
  return out;
}

}  // namespace tidewaiter::audit
