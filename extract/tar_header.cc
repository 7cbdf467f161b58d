#include "extract/tar_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

struct Field {
  std::size_t at;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kMagic{257, 8};  // with the version
constexpr Field kDevMajor{329, 8};
constexpr Field kDevMinor{337, 8};
constexpr Field kPrefix{345, 155};
// Of star and of node-tar: a prefix that is shorter and ends in a NUL, and two times after it.
constexpr Field kShortPrefix{345, 131};
constexpr Field kAccessTime{476, 12};
constexpr Field kChangeTime{488, 12};
constexpr std::string_view kUstar("ustar\00000", 8);
constexpr std::string_view kGnu("ustar  \0", 8);

// Beyond these programs fail where they use the number, each at another: C's int, uid_t, and times
// of no calendar. Those have a byte more than they need: libarchive ends its binary times, of which
// a PAX record tells the true one, in a space.
constexpr std::uint64_t kModes = std::uint64_t{1} << 31U;
constexpr std::uint64_t kIds = std::uint64_t{1} << 32U;
constexpr std::uint64_t kTimeBytes = 6;
constexpr std::uint64_t kTimes = std::uint64_t{1} << (8 * kTimeBytes);

std::string_view Of(std::string_view block, Field field) {
  return block.substr(field.at, field.size);
}

// Octal digits, spaces before them, then NUL or space to the field's end; an empty field is none.
std::optional<std::uint64_t> ParseOctal(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '7'; ++digits) {
    value = value * 8 + static_cast<std::uint64_t>(text[digits] - '0');  // 12 digits: 36 bits
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  const bool ended =
      std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\0'; });
  return ended ? std::optional(value) : std::nullopt;
}

// GNU's binary form for what octal cannot hold: 0x80, then the number in the other bytes.
std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  if (text.empty() || static_cast<unsigned char>(text.front()) != 0x80U) return ParseOctal(text);
  std::uint64_t value = 0;
  for (const char c : text.substr(1)) {
    if (value >> 55U != 0) return std::nullopt;  // beyond 63 bits with the next byte
    value = value << 8U | static_cast<unsigned char>(c);
  }
  return value;
}

// Old archives leave a number out. Of spaces alone GNU tar says that they are none.
bool IsLeftOut(std::string_view text) {
  return text.find_first_not_of(std::string_view(" \0", 2)) == std::string_view::npos &&
         text.find('\0') != std::string_view::npos;
}

bool IsId(std::string_view text) {
  const auto id = ParseNumber(text);
  return id ? *id < kIds : IsLeftOut(text);
}

// Only what is a device has these, yet Python's tarfile reads them of everything.
bool IsDevice(std::string_view text) {
  return IsId(text) || text.find_first_not_of(' ') == std::string_view::npos;
}

// Before 1970 GNU's binary form is that of a negative number: 0xff, and so on down to its bytes.
bool IsTime(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) == 0xFFU) {
    return text.substr(0, text.size() - kTimeBytes).find_first_not_of('\xff') ==
           std::string_view::npos;
  }
  const auto time = ParseNumber(text);
  return time ? *time < kTimes : IsLeftOut(text);
}

// The first of the numbers that are of no use here and yet no number. Python's tarfile takes such
// a header for the end of the archive, without a word.
std::optional<std::string_view> FindBadNumber(std::string_view block) {
  if (!IsId(Of(block, kUid))) return "uid";
  if (!IsId(Of(block, kGid))) return "gid";
  if (!IsTime(Of(block, kMtime))) return "mtime";
  if (!IsDevice(Of(block, kDevMajor))) return "devmajor";
  if (!IsDevice(Of(block, kDevMinor))) return "devminor";
  return std::nullopt;
}

// Of at most 512 bytes, whose number is a multiple of eight. Eight at a time: this is done for
// every header.
std::uint32_t SumOf(std::string_view bytes) {
  constexpr std::uint64_t kEvenBytes = 0x00FF00FF00FF00FFU;
  std::uint64_t sums = 0;  // four of 16 bits
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(sums)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    sums += (word & kEvenBytes) + ((word >> 8U) & kEvenBytes);
  }
  return static_cast<std::uint32_t>((sums & 0xFFFFU) + ((sums >> 16U) & 0xFFFFU) +
                                    ((sums >> 32U) & 0xFFFFU) + (sums >> 48U));
}

bool ChecksumFits(std::string_view block) {
  const auto wanted = ParseOctal(Of(block, kChecksum));
  // The field itself counts as spaces.
  const std::uint32_t others = SumOf(block) - SumOf(Of(block, kChecksum));
  return wanted == others + kChecksum.size * std::uint32_t{' '};
}

// Up to the first NUL; after it only NULs may stand, for some would read on.
std::optional<std::string_view> ParseText(std::string_view text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  if (!IsZero(text.substr(end))) return std::nullopt;
  return text.substr(0, end);
}

// Eleven octal digits and what ends them, or nothing at all.
bool IsStarTime(std::string_view text) {
  if (IsZero(text)) return true;
  const std::string_view digits = text.substr(0, text.size() - 1);
  return digits.find_first_not_of("01234567") == std::string_view::npos &&
         (text.back() == '\0' || text.back() == ' ');
}

// The prefix of a ustar header. Times at its field's end are not looked at: every program reads the
// prefix up to its first NUL, and who knows of the times finds numbers.
std::optional<std::string_view> PrefixOf(std::string_view block) {
  const std::string_view prefix = Of(block, kShortPrefix);
  if (prefix.back() == '\0' && IsStarTime(Of(block, kAccessTime)) &&
      IsStarTime(Of(block, kChangeTime))) {
    return ParseText(prefix);
  }
  return ParseText(Of(block, kPrefix));
}

}  // namespace

bool IsZero(std::string_view bytes) noexcept {
  // Each byte is the one before it, and the first is zero: memcmp(3) looks at many at once.
  return bytes.empty() || (bytes.front() == '\0' &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Expected<TarHeader> ParseTarHeader(std::string_view block) {
  const std::string_view magic = Of(block, kMagic);
  const bool ustar = magic == kUstar;
  if (!ChecksumFits(block)) {
    // Where not even the magic stands, it never was a tar.
    if (!magic.starts_with("ustar")) {
      return Refuse(Code::kNoTar, "no header of a tar archive where one belongs");
    }
    return Refuse(Code::kBadChecksum, "a header whose checksum does not fit",
                  Printable(block.substr(0, std::min(block.find('\0'), kName.size))));
  }
  if (!ustar && magic != kGnu && !IsZero(magic)) {
    return Refuse(Code::kNoTar, "a header of an unknown tar format");
  }
  const auto name = ParseText(Of(block, kName));
  const auto prefix = ustar ? PrefixOf(block) : ParseText(Of(block, kPrefix));
  if (!name) return Refuse(Code::kNul, "a name with a NUL byte", Printable(Of(block, kName)));
  // GNU keeps times there, which others take for the beginning of the name, and where a file is
  // sparse its map: that is refused by its type.
  const bool sparse = !ustar && block[kType] == 'S';
  if (!sparse && (!prefix || (!ustar && !prefix->empty()))) {
    return Refuse(Code::kAmbiguous, "a header whose prefix field programs read differently",
                  Printable(*name));
  }
  // Joined, they end in a slash: a folder's name to some, to others a file's without it.
  if (ustar && name->empty() && !prefix->empty()) {
    return Refuse(Code::kAmbiguous, "a header with a prefix and no name", Printable(*prefix));
  }
  const auto refuse_number = [&](std::string_view field) {
    return Refuse(Code::kAmbiguous,
                  fmt::format("a header whose {} programs read differently", field),
                  Printable(*name));
  };
  const auto size = ParseNumber(Of(block, kSize));
  if (!size) return refuse_number("size");
  const auto mode = ParseNumber(Of(block, kMode));
  if (!mode || *mode >= kModes) return refuse_number("mode");
  if (const auto field = FindBadNumber(block)) return refuse_number(*field);
  TarHeader header;
  if (!sparse && !prefix->empty()) header.name = std::string(*prefix) + '/';
  header.name += *name;
  header.type = block[kType];
  header.size = *size;
  header.mode = static_cast<std::uint32_t>(*mode & 07777U);
  return header;
}

}  // namespace tidewaiter::extract
