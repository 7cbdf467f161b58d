// Any bytes as a body in chunks, cut anywhere: what is handed on are bytes of what was fed, in
// order, the way of cutting changes nothing, and a second decoder, which has all of it at once,
// comes to the same.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/io/chunked_body.h"

namespace {

struct Decoded {
  std::string bytes;
  bool complete = false;
  bool broken = false;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded Feed(std::string_view data, std::size_t slice) {
  Decoded decoded;
  tidewaiter::io::ChunkedBody body;
  for (; !data.empty(); data.remove_prefix(std::min(slice, data.size()))) {
    const std::string_view here = data.substr(0, slice);
    std::size_t taken = 0;
    const bool fed = body.Feed(here,
                               [&](std::string_view part) {
                                 const auto at =
                                     static_cast<std::size_t>(part.data() - here.data());
                                 if (part.empty() || at < taken || at + part.size() > here.size()) {
                                   std::abort();
                                 }
                                 taken = at + part.size();
                                 decoded.bytes += part;
                               })
                         .has_value();
    if (decoded.broken && (fed || taken != 0)) std::abort();
    if (decoded.complete && (!fed || taken != 0)) std::abort();
    decoded.broken = !fed;
    decoded.complete = body.complete();
  }
  return decoded;
}

// The bounds are ours: 15 digits, and 256 bytes with the extensions.
enum class Line { kWhole, kCut, kBroken };
Line TakeSizeLine(std::string_view& rest, std::uint64_t& size) {
  const std::size_t digits =
      std::min(rest.find_first_not_of("0123456789abcdefABCDEF"), rest.size());
  if (digits > 15) return Line::kBroken;
  static_cast<void>(std::from_chars(rest.data(), rest.data() + digits, size, 16));
  if (digits == rest.size()) return Line::kCut;
  constexpr std::string_view kMayFollow = "\r; \t";
  if (digits == 0 || kMayFollow.find(rest[digits]) == std::string_view::npos) return Line::kBroken;
  const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  if (end > 256) return Line::kBroken;
  rest.remove_prefix(end);
  if (rest.size() < 2) return rest == "\n" ? Line::kBroken : Line::kCut;
  if (!rest.starts_with("\r\n")) return Line::kBroken;
  rest.remove_prefix(2);
  return Line::kWhole;
}

Decoded DecodeAll(std::string_view rest) {
  Decoded decoded;
  while (true) {
    std::uint64_t size = 0;
    const Line line = TakeSizeLine(rest, size);
    decoded.broken = line == Line::kBroken;
    decoded.complete = line == Line::kWhole && size == 0;
    if (line != Line::kWhole || size == 0) return decoded;
    decoded.bytes += rest.substr(0, size);
    if (size >= rest.size()) return decoded;
    rest.remove_prefix(size);
    decoded.broken = !std::string_view("\r\n").starts_with(rest.substr(0, 2));
    if (decoded.broken || rest.size() < 2) return decoded;
    rest.remove_prefix(2);
  }
}

}  // namespace

// The first byte says how long the slices are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const Decoded whole = Feed(text, size);
  if (whole != Feed(text, std::size_t{data[0]} % 32 + 1) || whole != DecodeAll(text)) std::abort();
  return 0;
}
