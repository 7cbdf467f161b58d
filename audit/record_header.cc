#include "audit/record_header.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidewaiter::audit {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

// A high bit for each byte of `word` that is zero, and maybe for ones behind the first.
constexpr std::uint64_t ZeroBytes(std::uint64_t word) {
  return (word - kOnes) & ~word & kHighBits;
}

// A high bit for each byte that is a quote, a backslash or below 0x20 (as above).
constexpr std::uint64_t SpecialBytes(std::uint64_t word) {
  const std::uint64_t below_0x20 = (word - kOnes * 0x20) & ~word & kHighBits;
  return ZeroBytes(word ^ (kOnes * '"')) | ZeroBytes(word ^ (kOnes * '\\')) | below_0x20;
}

// What ends or nests a value, outside of strings.
constexpr bool IsStructure(char c) {
  return c == '"' || c == ',' || c == '{' || c == '}' || c == '[' || c == ']' ||
         static_cast<unsigned char>(c) < 0x20U;
}

constexpr auto kStructure = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) table[c] = IsStructure(static_cast<char>(c));
  return table;
}();

// Walks over the tokens of one object. Every function returns false at the first byte that cannot
// be. Every record is read by it at a start and by who verifies: strings go by eight bytes.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept
      : at_(text.data()), end_(text.data() + text.size()) {}

  bool Take(char expected) noexcept {
    if (at_ == end_ || *at_ != expected) return false;
    ++at_;
    return true;
  }

  [[nodiscard]] bool AtEnd() const noexcept { return at_ == end_; }

  bool TakeString(std::string_view& inside) noexcept {
    if (!Take('"')) return false;
    const char* const begin = at_;
    while (true) {
      SkipPlain();
      if (at_ == end_) return false;
      if (*at_ == '"') {
        inside = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
        ++at_;
        return true;
      }
      if (*at_ != '\\') return false;
      ++at_;  // and what it escapes
      if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20U) return false;
      ++at_;
    }
  }

  // Any value; `inside` is a string without its quotes, or the value's text.
  bool TakeValue(std::string_view& inside) noexcept {
    if (at_ != end_ && *at_ == '"') return TakeString(inside);
    const char* const begin = at_;
    std::size_t depth = 0;
    for (; at_ != end_; ++at_) {
      const char c = *at_;
      if (!kStructure[static_cast<unsigned char>(c)]) continue;
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
      } else if (c != ',') {
        return false;
      }
    }
    inside = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
    return depth == 0 && !inside.empty();
  }

 private:
  // Up to a quote, a backslash, a control character or the end.
  void SkipPlain() noexcept {
    std::uint64_t word = 0;
    while (static_cast<std::size_t>(end_ - at_) >= sizeof word) {
      std::memcpy(&word, at_, sizeof word);
      const std::uint64_t special = SpecialBytes(word);
      if (special != 0) {
        // The lowest bit is exact, and the first byte where the first byte is the lowest.
        static_assert(std::endian::native == std::endian::little);
        at_ += std::countr_zero(special) / 8;
        return;
      }
      at_ += sizeof word;
    }
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' &&
           static_cast<unsigned char>(*at_) >= 0x20U) {
      ++at_;
    }
  }

  const char* at_;
  const char* end_;
};

bool ReadIndex(std::string_view text, std::uint64_t& index) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size();
}

void Note(std::string_view name, std::string_view value, RecordHeader& header) noexcept {
  if (name == "index") {
    header.index_text = value;
  } else if (name == "time") {
    header.time = value;
  } else if (name == "type") {
    header.type = value;
  } else if (name == "run_id") {
    header.run_id = value;
  } else if (name == "principal") {
    header.principal = value;
  }
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
    Note(name, value, header);
  } while (scanner.Take(','));
  if (!scanner.Take('}') || !scanner.AtEnd()) return std::nullopt;
  if (header.time.empty() || header.type.empty()) return std::nullopt;
  if (!ReadIndex(header.index_text, header.index)) return std::nullopt;
  return header;
}

}  // namespace tidewaiter::audit
