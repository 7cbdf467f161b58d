#include "extract/pax_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

std::optional<std::uint64_t> ParseDecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// uid_t.
bool IsId(std::string_view text) {
  const auto id = ParseDecimal(text);
  return id && *id >> 32U == 0;
}

// "-1700000000.25", as GNU tar reads it; Python's tarfile also takes "nan" and "1e999", and fails
// where it sets the time. A fraction of a negative one libarchive adds and others subtract, but GNU
// tar writes it, and no time is restored here.
bool IsTime(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto seconds = ParseDecimal(text.substr(0, point));
  if (!seconds || *seconds >> 40U != 0) return false;
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  return fraction.find_first_not_of("0123456789") == std::string_view::npos;
}

// False for a number that is none. What it counts is of no use here, but programs stop at it.
bool IsSound(std::string_view key, std::string_view value) {
  if (key == "uid" || key == "gid") return IsId(value);
  if (key == "mtime" || key == "atime" || key == "ctime") return IsTime(value);
  return true;
}

struct Record {
  std::string_view key;
  std::string_view value;
};

// The first record of `body`, which is shortened by it.
std::optional<Record> TakeRecord(std::string_view& body) {
  const std::size_t space = body.find(' ');
  const auto length = ParseDecimal(body.substr(0, std::min(space, body.size())));
  if (space == std::string_view::npos || body.front() == '0' || !length) return std::nullopt;
  if (*length > body.size() || *length < space + 3 || body[*length - 1] != '\n') {
    return std::nullopt;
  }
  const std::string_view text = body.substr(space + 1, *length - space - 2);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  body.remove_prefix(*length);
  return Record{text.substr(0, equals), text.substr(equals + 1)};
}

tl::unexpected<Refusal> Ambiguous(std::string message) {
  return Refuse(Code::kAmbiguous, std::move(message));
}

}  // namespace

Expected<PaxRecords> ParsePaxRecords(std::string_view body) {
  PaxRecords records;
  std::set<std::string_view> keys;
  while (!body.empty()) {
    const auto record = TakeRecord(body);
    if (!record) return Ambiguous("a malformed record in a PAX header");
    const auto& [key, value] = *record;
    // POSIX has keys in UTF-8. What is none is a damaged one of those that mean something.
    if (!IsUtf8(key)) return Ambiguous("a key in a PAX header that is not UTF-8");
    if (!keys.insert(key).second) {
      return Ambiguous("the key " + Quoted(key) + " twice in one PAX header");
    }
    if (key.starts_with("GNU.sparse.")) return Refuse(Code::kSparse, "a sparse file");
    // star's word for what tar has no type for.
    if (key == "SCHILY.filetype" && value == "socket") return Refuse(Code::kSocket, "a socket");
    if (key == "hdrcharset" && value != "ISO-IR 10646 2000 UTF-8") {
      return Ambiguous("a PAX header in the character set " + Quoted(value));
    }
    if (!IsSound(key, value)) {
      return Ambiguous(fmt::format("the {} {} in a PAX header, which programs read differently",
                                   key, Quoted(value)));
    }
    if (key == "path") {
      // An empty value takes a global header's away: programs differ.
      if (value.empty()) return Ambiguous("an empty path in a PAX header");
      if (value.find('\0') != std::string_view::npos) {
        return Refuse(Code::kNul, "a name with a NUL byte", Printable(value));
      }
      records.path = value;
    } else if (key == "size") {
      records.size = ParseDecimal(value);
      if (!records.size) return Ambiguous("a size in a PAX header that is no number");
    } else if (key == "linkpath") {
      records.link_path = true;
    }
  }
  return records;
}

}  // namespace tidewaiter::extract
