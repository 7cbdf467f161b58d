#include "broker/docker/log_messages.h"

#include <utility>

#include "broker/docker/engine_client.h"

namespace tidewaiter::docker {
namespace {

// "2026-11-22T20:51:09.765925175+02:00" and some room.
constexpr std::size_t kMaxTime = 40;
// The engine's buffer (moby, daemon/logger/copier.go).
constexpr std::uint64_t kFullPiece = std::uint64_t{16} << 10U;
constexpr std::byte kLineEnd{'\n'};

}  // namespace

Result<void> LogMessages::Feed(std::span<const std::byte> data, const Sink& sink) {
  TW_TRY(frames_.Feed(data, [&](run::OutputStream stream, std::span<const std::byte> payload) {
    if (!untimed_) OnFrame(stream, payload, sink);
  }));
  if (untimed_) return InvalidAnswer("read a log", "a message has no time");
  return Ok();
}

void LogMessages::OnFrame(run::OutputStream stream, std::span<const std::byte> data,
                          const Sink& sink) {
  const bool last = frames_.left_in_frame() == 0;
  while (!time_ && !data.empty()) {
    const char c = std::to_integer<char>(data.front());
    data = data.subspan(1);
    if (c == ' ') {
      time_ = ParseEngineTime(prefix_);
      prefix_.clear();
      untimed_ = !time_;
    } else {
      prefix_ += c;
      untimed_ = prefix_.size() > kMaxTime;
    }
    if (untimed_) return;
  }
  if (!time_) {
    untimed_ = last;
    return;
  }
  if (data.empty() && !last) return;
  if (!begun_) Begin(stream, sink);
  Stream& state = streams_.at(stream == run::OutputStream::kStdout ? 0 : 1);
  state.bytes += data.size();
  sink({.stream = stream, .time = *time_, .data = data, .first = !begun_, .last = last});
  begun_ = !last;
  if (last) End(state, data);
}

void LogMessages::Begin(run::OutputStream stream, const Sink& sink) {
  Stream& state = streams_.at(stream == run::OutputStream::kStdout ? 0 : 1);
  state.bytes = 0;
  if (!std::exchange(state.end_is_due, false)) return;
  sink({.stream = stream,
        .time = state.due_time,
        .data = std::span(&kLineEnd, 1),
        .first = true,
        .last = true});
}

// `data`: the last of the message.
void LogMessages::End(Stream& stream, std::span<const std::byte> data) {
  const bool ends_line = !data.empty() && data.back() == kLineEnd;
  const bool full = !ends_line && stream.bytes >= kFullPiece;
  if (!ends_line && !full && stream.in == time_) {  // all pieces of a line have its time
    stream.end_is_due = true;
    stream.due_time = *time_;
  }
  stream.in = full ? time_ : std::nullopt;
  time_.reset();
}

}  // namespace tidewaiter::docker
