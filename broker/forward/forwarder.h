// Forwards each committed record to one destination, in order, at least once. The log on disk is
// the buffer: a destination that is slow or away lags and costs neither memory nor anyone's time.
//
// Thread: one of its own, that alone touches the destination; Standing() from any. It must never
// hold up the log, nor skip a record without saying so.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "audit/log.h"
#include "audit/tail.h"
#include "base/deadline.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/result.h"
#include "broker/forward/backoff.h"
#include "broker/forward/destination.h"
#include "broker/forward/position_file.h"

namespace tidewaiter::forward {

struct ForwarderSettings {
  std::string name = {};                       // of the position's file: "journald"
  std::string state_dir = {};                  // exists
  std::chrono::milliseconds first_retry{100};  // after a failure; doubles up to last_retry
  std::chrono::milliseconds last_retry{std::chrono::seconds(30)};
  // For a connection, for one record, and for a confirmation.
  std::chrono::milliseconds step_timeout{std::chrono::seconds(10)};
  std::chrono::milliseconds save_interval{std::chrono::seconds(1)};
  std::uint64_t most_unconfirmed = 256;  // records that a broken connection has sent again
};

class Forwarder {
 public:
  // Begins where the former process ended. Where there was none, with what is committed from now
  // on; where the position cannot be believed, or lies beyond the log's end, with the first record
  // that there is, since a record twice is better than none. `audit_log` and `log` must outlive
  // it. Errors: PositionFile::Open's; Log::View's; RESOURCE_EXHAUSTED.
  static Result<std::unique_ptr<Forwarder>> Start(ForwarderSettings settings,
                                                  std::unique_ptr<Destination> destination,
                                                  audit::Log& audit_log, Log& log);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;
  // Ends now: what has not been forwarded is, by the next process.
  ~Forwarder() = default;

  // From now on it does not wait for a destination that fails: one that has failed before is tried
  // once more.
  void Hurry();
  // In a hurry: forwards what is committed by the time of this call, unless that fails, and ends.
  // Once.
  void Finish(Deadline deadline);

  struct Standing {
    std::string destination;       // its name
    std::uint64_t next_index = 0;  // records before it have arrived
    std::uint64_t behind = 0;      // records that are committed and have not
    std::uint64_t missed = 0;      // that were gone from the log before they could be forwarded
    std::optional<Error> failure;  // of the last attempt
  };
  [[nodiscard]] Standing Now();

 private:
  struct State {
    std::uint64_t confirmed = 0;
    std::uint64_t missed = 0;
    std::optional<Error> failure;
    bool hurry = false;    // no more pauses
    bool gave_up = false;  // in a hurry, and it failed
  };

  Forwarder(ForwarderSettings settings, std::unique_ptr<Destination> destination,
            PositionFile position, audit::Log& audit_log, Log& log);

  Result<void> FindBeginning();
  void Run(const std::stop_token& stop);
  Result<void> Follow(const std::stop_token& stop);
  Result<bool> TakeLine(const std::stop_token& stop);
  Result<void> ReadLine(const std::stop_token& stop, Deadline deadline);
  Result<void> SendLine();
  Result<void> Confirm();
  void NoteJump(std::uint64_t index);
  void NoteWorking();
  bool MayTryAgain(const Error& error, const std::stop_token& stop);
  void Save();
  [[nodiscard]] Deadline Step() const { return Deadline::After(settings_.step_timeout); }

  const ForwarderSettings settings_;
  const std::unique_ptr<Destination> destination_;
  const PositionFile position_;
  audit::Log& audit_log_;
  Log& log_;

  // The thread's own.
  std::optional<audit::Tail> tail_;        // none: to be opened at confirmed_
  std::optional<std::string> line_;        // to be sent next
  std::optional<std::uint64_t> expected_;  // index of the next line, where that is known
  std::uint64_t sent_ = 0;                 // index after the last that was sent
  std::uint64_t unconfirmed_ = 0;          // how many were sent and not confirmed
  std::uint64_t confirmed_ = 0;
  std::uint64_t batch_;  // so many are sent before they are confirmed
  std::optional<std::uint64_t> saved_;
  std::uint64_t told_ = 0;  // what was missing before it has been told
  bool save_failed_ = false;
  bool progressed_ = false;  // something arrived by this connection
  Deadline next_save_ = Deadline::Never();
  Deadline confirm_by_ = Deadline::Never();
  Backoff backoff_;

  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidewaiter::forward
