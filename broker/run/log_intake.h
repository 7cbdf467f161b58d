// What of a container's output the engine has kept and its reader has not got yet, on its way
// there: followed, or read again and again while the container runs, and once at its end. The run's
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>

#include "base/guarded.h"
#include "broker/run/backend.h"
#include "broker/run/output_limiter.h"

namespace tidewaiter::run {

class LogIntake {
 public:
  // `has`: what `sink` has already. At most `limit_bytes` of the whole output get there. `stall`:
  // how long `sink` may take nothing.
  LogIntake(Container& container, OutputSink& sink, LogPosition has, std::int64_t limit_bytes,
            std::chrono::milliseconds stall);
  ~LogIntake();
  LogIntake(const LogIntake&) = delete;
  LogIntake& operator=(const LogIntake&) = delete;

  // When to read again, while the container runs: the more rarely, the longer a reading takes, and
  // the less comes of it. Never where it is followed.
  [[nodiscard]] Deadline NextRead() const { return next_read_; }
  // Reads where NextRead has passed, for a short time only, since the container runs on and is not
  // watched meanwhile. What could not be read now is read later.
  void ReadNow(const std::stop_token& stop, Deadline limit);
  // Of a container that has ended: all that is left, as long as something comes within `stall`;
  // what `sink` takes no more is counted as unread. Errors: ReadLog's or FollowLog's, and that it
  // was stopped.
  Result<void> ReadRest(const std::stop_token& stop);
  // `sink` gets nothing from here on.
  void Close() { followed_.reset(); }

  [[nodiscard]] std::int64_t dropped_over_limit() const { return output_.dropped_over_limit(); }
  [[nodiscard]] std::int64_t dropped_unread() const { return output_.dropped_unread(); }
  // Whether all the output that its limit lets through has come.
  [[nodiscard]] bool Full() const;

 private:
  // Whether all that there is has come; false where `sink` had no room for it in time.
  Result<bool> Read(const Patience& patience);
  Result<void> AwaitFollowed(const std::stop_token& stop);
  bool AwaitRoom(const Patience& patience);
  bool Take(OutputStream stream, std::span<const std::byte> data, const Patience& patience);
  [[nodiscard]] std::uint64_t Total() const {
    return position_.stdout_bytes + position_.stderr_bytes;
  }

  Container& container_;
  const std::chrono::milliseconds stall_;
  const std::uint64_t limit_;
  const std::uint64_t had_;  // bytes, in the beginning
  LogPosition position_;     // where it is read
  Deadline next_read_ = Deadline::After({});
  std::chrono::milliseconds pause_;
  Guarded<bool> room_{false};
  std::condition_variable_any changed_;
  OutputLimiter output_;
  std::unique_ptr<Attachment> followed_;  // last: it writes to `output_`
};

}  // namespace tidewaiter::run
