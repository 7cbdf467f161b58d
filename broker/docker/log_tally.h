// Counts a container's log as it is read: how much of each stream there is, whether the engine can
// have dropped any of it, and where the next reading may begin. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "broker/docker/engine_time.h"
#include "broker/docker/log_messages.h"

namespace tidewaiter::docker {

// What a message is known by again.
struct LogSign {
  EngineTime time;
  run::OutputStream stream = run::OutputStream::kStdout;
  friend bool operator==(const LogSign&, const LogSign&) = default;
};

// A place in a log from which it can be read.
struct LogMark {
  EngineTime since{};                    // messages from then on; zero: all
  std::array<std::uint64_t, 2> bytes{};  // of each stream, that came before
  std::uint64_t kept = 0;                // bytes of the engine's files that they take, at most
  // The message that stands there, where it is a whole line. Pieces of one line share one time, so
  // that it could not be told from a later one of them.
  std::optional<LogSign> first;
};

class LogTally {
 public:
  // For a reading from `from`. `next_since`: where the next one shall begin, if it can; no message
  // of that time or earlier must still be on its way into the log.
  LogTally(const LogMark& from, EngineTime next_since);

  void Add(const LogPiece& piece);

  [[nodiscard]] std::uint64_t bytes(run::OutputStream stream) const noexcept {
    return streams_.at(Index(stream)).bytes;
  }
  [[nodiscard]] std::uint64_t kept() const noexcept { return kept_; }
  // The first message that was read.
  [[nodiscard]] const std::optional<LogSign>& first() const noexcept { return first_.sign; }
  [[nodiscard]] bool first_is_line() const noexcept { return first_.is_line; }
  // Within one stream times do not fall, but where the clock was set back; they tell nothing then.
  [[nodiscard]] bool in_order() const noexcept { return in_order_; }
  // After the whole log has been read. Nothing where the next reading must begin at the same place.
  [[nodiscard]] std::optional<LogMark> Next() const;

 private:
  struct Stream {
    std::uint64_t bytes = 0;
    std::uint64_t bytes_before_next = 0;
    EngineTime last{};
    bool in_line = false;  // its last message was no whole line
  };
  struct First {
    void Begin(const LogPiece& piece) {
      sign = LogSign{.time = piece.time, .stream = piece.stream};
      open = true;
    }
    void End(bool line) {
      if (std::exchange(open, false)) is_line = line;
    }
    std::optional<LogSign> sign;
    bool open = false;  // its message is not yet whole
    bool is_line = false;
  };
  static std::size_t Index(run::OutputStream stream) noexcept {
    return stream == run::OutputStream::kStdout ? 0 : 1;
  }

  const EngineTime next_since_;
  std::array<Stream, 2> streams_;
  std::uint64_t kept_;
  std::uint64_t kept_before_next_;
  First first_;
  First next_first_;
  bool in_order_ = true;
};

}  // namespace tidewaiter::docker
