#include "extract/pax_records.h"

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
    if (!keys.insert(key).second) {
      return Ambiguous("the key " + Quoted(key) + " twice in one PAX header");
    }
    if (key.starts_with("GNU.sparse.")) return Refuse(Code::kSparse, "a sparse file");
    // star's word for what tar has no type for.
    if (key == "SCHILY.filetype" && value == "socket") return Refuse(Code::kSocket, "a socket");
    if (key == "hdrcharset" && value != "ISO-IR 10646 2000 UTF-8") {
      return Ambiguous("a PAX header in the character set " + Quoted(value));
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
