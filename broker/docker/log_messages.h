// A container's log as the engine answers it with `timestamps=1` (Docker Engine API, "Get container
// logs"): a frame per message (log_frames.h), each with the time at which the engine read it, a
// blank, and what the container wrote: a line, or a piece of at most 16 KiB of a longer one. Parsed
// as it comes. One thread at a time.
//
// 20.10 forgets the end of a line that came in pieces (seen). A piece that is not full ends its
// line, or its stream: so the line's end is put back, as a message of its own, once another message
// follows in that stream. After the very last line of a stream it stays away, since nothing tells
// whether there was one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "broker/docker/engine_time.h"
#include "broker/docker/log_frames.h"
#include "broker/run/output_sink.h"

namespace tidewaiter::docker {

// A part of one message, as far as it has come.
struct LogPiece {
  run::OutputStream stream = run::OutputStream::kStdout;
  EngineTime time;                  // of its message
  std::span<const std::byte> data;  // may be empty
  bool first = false;               // of its message
  bool last = false;
};

class LogMessages {
 public:
  // Gets spans into the data given to Feed, in order.
  using Sink = std::function<void(const LogPiece&)>;

  // Errors as LogFrames::Feed; ENGINE_INVALID_ANSWER too where a message has no time.
  Result<void> Feed(std::span<const std::byte> data, const Sink& sink);
  // For the end of the log: an error where it ended inside a message.
  [[nodiscard]] Result<void> Finish() const { return frames_.Finish(); }

 private:
  struct Stream {
    std::uint64_t bytes = 0;       // of the message
    std::optional<EngineTime> in;  // of the line of which the last message was a full piece
    bool end_is_due = false;       // the line's last piece had none
    EngineTime due_time;
  };
  void OnFrame(run::OutputStream stream, std::span<const std::byte> data, const Sink& sink);
  void Begin(run::OutputStream stream, const Sink& sink);
  void End(Stream& stream, std::span<const std::byte> data);

  LogFrames frames_;
  std::string prefix_;  // of the message, until its time is whole
  std::optional<EngineTime> time_;
  bool begun_ = false;  // some of the message has been handed over
  bool untimed_ = false;
  std::array<Stream, 2> streams_;
};

}  // namespace tidewaiter::docker
