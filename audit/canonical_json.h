// Writes JSON in the canonical form of RFC 8785 (JCS), so that the hash of a record is stable:
// members sorted by name, no insignificant whitespace, the shortest string escapes. Whatever bytes
// go in, what comes out is valid UTF-8 and valid JSON. Only ASCII member names (their byte order is
// then the UTF-16 order that JCS asks for) and integers that a double holds exactly.
// Thread: any, one object at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidewaiter::audit {

// The most bytes that one string takes in a record, escapes counted; what is longer is cut at a
// character and ends in "...".
inline constexpr std::size_t kMaxTextBytes = 4096;

// `value` as a JSON string in quotes. Each byte that is not part of a UTF-8 character becomes
// U+FFFD. What looks like a password in it is masked (base/mask_credentials.h): every text of a
// record goes through here.
std::string JsonString(std::string_view value, std::size_t max_bytes = kMaxTextBytes);

// `value` as a JSON number. Beyond 2^53 - 1, where RFC 8785 has no exact numbers (I-JSON, RFC 7493
// section 2.2), the nearest value that has one.
std::string JsonInteger(std::int64_t value);

class JsonObject {
 public:
  // Names are literals; each may be given once.
  void Text(std::string_view name, std::string_view value);
  // Leaves the member out where the value is empty.
  void TextIfAny(std::string_view name, std::string_view value);
  void Integer(std::string_view name, std::int64_t value);
  void Flag(std::string_view name, bool value);
  // `json` is a value in canonical form.
  void Json(std::string_view name, std::string json);

  [[nodiscard]] std::string Finish() &&;

 private:
  std::vector<std::pair<std::string_view, std::string>> members_;
  std::size_t size_ = 2;  // of the text
};

}  // namespace tidewaiter::audit
