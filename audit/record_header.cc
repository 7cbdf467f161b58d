#include "audit/record_header.h"

#include <charconv>
#include <cstddef>

namespace tidewaiter::audit {
namespace {

// Walks over the tokens of one object. Every function returns false at the first byte that cannot
// be.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  bool Take(char expected) noexcept {
    if (at_ >= text_.size() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }

  [[nodiscard]] bool AtEnd() const noexcept { return at_ == text_.size(); }
  [[nodiscard]] bool At(char c) const noexcept { return at_ < text_.size() && text_[at_] == c; }

  bool TakeString(std::string_view& inside) noexcept {
    if (!Take('"')) return false;
    const std::size_t begin = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        inside = text_.substr(begin, at_ - begin);
        ++at_;
        return true;
      }
      if (text_[at_] == '\\') ++at_;
      if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20U) return false;
    }
    return false;
  }

  // Any value; `inside` is a string without its quotes, or the value's text.
  bool TakeValue(std::string_view& inside) noexcept {
    if (At('"')) return TakeString(inside);
    const std::size_t begin = at_;
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20U) return false;
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        std::string_view skipped;
        if (!TakeString(skipped)) return false;
        --at_;  // the loop steps over the closing quote
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
      }
    }
    inside = text_.substr(begin, at_ - begin);
    return depth == 0 && !inside.empty();
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool ReadIndex(std::string_view text, std::uint64_t& index) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<RecordHeader> ReadHeader(std::string_view line) noexcept {
  Scanner scanner(line);
  RecordHeader header;
  if (!scanner.Take('{')) return std::nullopt;
  do {
    std::string_view name;
    std::string_view value;
    if (!scanner.TakeString(name) || !scanner.Take(':') || !scanner.TakeValue(value)) {
      return std::nullopt;
    }
    if (name == "index") header.index_text = value;
    if (name == "time") header.time = value;
    if (name == "type") header.type = value;
    if (name == "run_id") header.run_id = value;
    if (name == "principal") header.principal = value;
  } while (scanner.Take(','));
  if (!scanner.Take('}') || !scanner.AtEnd()) return std::nullopt;
  if (header.time.empty() || header.type.empty()) return std::nullopt;
  if (!ReadIndex(header.index_text, header.index)) return std::nullopt;
  return header;
}

}  // namespace tidewaiter::audit
