// Reads one container's output out of the engine's log: from where somebody's copy ends, again and
// again. The engine can only be asked for what came since some time, so that every reading begins
// a while before the copy's end, and what is there already is passed over by counting.
//
// Cost, with 20.10: the engine goes through its whole log for each reading, some 2.5 us for each
// message, and 5 more for each that it hands over: those of the last half minute, and of all the
// time that a line has been unfinished. The first reading, by which is known that nothing has been
// dropped, goes over all of it twice. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "broker/docker/engine_api.h"
#include "broker/docker/log_tally.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class LogReader {
 public:
  struct Times {
    EngineTime wall;  // by the engine's clock, which is this host's
    std::chrono::nanoseconds since_boot{0};
  };
  using Clock = std::function<Times()>;
  static Times Now();

  // `safe_bytes`: SafeLogBytes.
  LogReader(EngineApi& api, const DockerSettings& settings, std::string id,
            std::uint64_t safe_bytes, Clock clock = Now)
      : api_(api),
        settings_(settings),
        id_(std::move(id)),
        safe_bytes_(safe_bytes),
        clock_(std::move(clock)) {}

  // run::Container::ReadLog.
  Result<bool> Read(run::LogPosition& position, const run::LogTaker& take,
                    const run::Patience& patience);

 private:
  using OnPiece = std::function<bool(const LogPiece&)>;
  // One reading from mark_; `on_piece` returns false to end it.
  Result<void> Scan(const run::Patience& patience, const OnPiece& on_piece);
  // Goes over the log without handing anything over.
  Result<LogTally> Count(EngineTime next_since, const run::Patience& patience);
  void ChooseMark(const Times& now, const run::LogPosition& position);
  Error Incomplete();

  EngineApi& api_;
  const DockerSettings& settings_;
  const std::string id_;
  const std::uint64_t safe_bytes_;
  const Clock clock_;

  LogMark origin_;                            // of the whole log
  LogMark mark_;                              // where the next reading begins
  std::chrono::nanoseconds clock_offset_{0};  // of the wall clock, when mark_ was chosen
  bool incomplete_ = false;
};

}  // namespace tidewaiter::docker
