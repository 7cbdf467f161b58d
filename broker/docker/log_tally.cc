#include "broker/docker/log_tally.h"

namespace tidewaiter::docker {
namespace {

// What the driver "local" adds to a message (moby, daemon/logger/local): two lengths of 4 bytes
// around a protobuf with the stream's name, the time and the line's length; 26 bytes for a blank
// line, seen with 20.10. A piece of a longer line has 80 more, its id and number among them.
constexpr std::uint64_t kMessageBytes = 32;
constexpr std::uint64_t kPartBytes = 96;

}  // namespace

LogTally::LogTally(const LogMark& from, EngineTime next_since)
    : next_since_(next_since), kept_(from.kept), kept_before_next_(from.kept) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    streams_.at(i).bytes = streams_.at(i).bytes_before_next = from.bytes.at(i);
  }
}

void LogTally::Add(const LogPiece& piece) {
  Stream& stream = streams_.at(Index(piece.stream));
  const bool before_next = piece.time < next_since_;
  if (piece.first) {
    if (!first_.sign) first_.Begin(piece);
    if (!before_next && !next_first_.sign) next_first_.Begin(piece);
    if (piece.time < stream.last) in_order_ = false;
    stream.last = piece.time;
  }
  std::uint64_t kept = piece.data.size();
  if (piece.last) {
    const bool ends_line = !piece.data.empty() && piece.data.back() == std::byte{'\n'};
    const bool is_line = ends_line && !stream.in_line;
    stream.in_line = !ends_line;
    first_.End(is_line);
    next_first_.End(is_line);
    kept += kMessageBytes + (is_line ? 0 : kPartBytes);
  }
  stream.bytes += piece.data.size();
  kept_ += kept;
  if (!before_next) return;
  stream.bytes_before_next += piece.data.size();
  kept_before_next_ += kept;
}

std::optional<LogMark> LogTally::Next() const {
  if (!in_order_ || !next_first_.is_line) return std::nullopt;
  LogMark next{.since = next_since_, .kept = kept_before_next_, .first = next_first_.sign};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const Stream& stream = streams_.at(i);
    // The rest of its line will have the time of its beginning.
    if (stream.in_line && stream.last < next_since_) return std::nullopt;
    next.bytes.at(i) = stream.bytes_before_next;
  }
  return next;
}

}  // namespace tidewaiter::docker
