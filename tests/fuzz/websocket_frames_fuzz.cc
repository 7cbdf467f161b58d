// Any bytes as a server's frames, cut anywhere: what is handed on are bytes of what was fed, in
// order, the way of cutting changes nothing, no control frame is longer than one may be, messages
// begin and end in turn, and an error stays.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/io/websocket_frames.h"

namespace {

using tidewaiter::io::WebSocketOpcode;
using tidewaiter::io::WebSocketParser;
using tidewaiter::io::WebSocketPiece;

constexpr std::uint64_t kMaxFrameBytes = 4096;
constexpr std::size_t kMaxControlBytes = 125;

void Check(bool good) {
  if (!good) std::abort();
}

struct Parsed {
  // As far as it has come; in the order in which they end.
  std::vector<std::pair<WebSocketOpcode, std::string>> messages;
  std::string unended;
  bool within = false;  // a message
  bool closed = false;
  std::string error;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

void TakeControl(Parsed& parsed, const WebSocketPiece& piece) {
  Check(piece.begins && piece.ends && piece.payload.size() <= kMaxControlBytes);
  parsed.messages.emplace_back(piece.opcode, piece.payload);
}

void TakePart(Parsed& parsed, const WebSocketPiece& piece) {
  Check(piece.opcode == WebSocketOpcode::kText || piece.opcode == WebSocketOpcode::kBinary);
  Check(piece.begins != parsed.within);
  Check(!piece.payload.empty() || piece.begins || piece.ends);
  parsed.unended += piece.payload;
  parsed.within = !piece.ends;
  if (piece.ends) parsed.messages.emplace_back(piece.opcode, std::exchange(parsed.unended, {}));
}

// Of one slice; false after an error.
bool Feed(WebSocketParser& parser, std::string_view here, Parsed& parsed) {
  const std::string_view slice = here;
  for (;;) {
    const auto piece = parser.Next(here);
    if (!piece) {
      parsed.error = piece.error().message;
      std::string_view more = "\x82\x01x";
      Check(!parsed.error.empty() && parser.Next(more).error() == piece.error());
      return false;
    }
    if (!*piece) break;
    Check(!parsed.closed);
    const std::string_view payload = (*piece)->payload;
    if ((*piece)->opcode >= WebSocketOpcode::kClose) {
      TakeControl(parsed, **piece);
    } else {
      // In place: it ends where the rest begins.
      Check(payload.empty() ||
            (payload.data() >= slice.data() && payload.data() + payload.size() == here.data()));
      TakePart(parsed, **piece);
    }
    parsed.closed = parser.closed();
    Check(parsed.closed == ((*piece)->opcode == WebSocketOpcode::kClose));
  }
  Check(here.empty());
  return true;
}

Parsed Parse(std::string_view data, std::size_t slice) {
  Parsed parsed;
  WebSocketParser parser(kMaxFrameBytes);
  for (; !data.empty(); data.remove_prefix(std::min(slice, data.size()))) {
    if (!Feed(parser, data.substr(0, slice), parsed)) break;
  }
  return parsed;
}

}  // namespace

// The first byte says how long the slices are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const Parsed whole = Parse(text, size);
  Check(whole == Parse(text, std::size_t{data[0]} % 32 + 1));
  std::size_t bytes = whole.unended.size();
  for (const auto& [opcode, payload] : whole.messages) bytes += payload.size();
  Check(bytes <= text.size());
  return 0;
}
