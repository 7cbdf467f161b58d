// The rest of the life of a detached run whose container a former broker has started: found by what
// the journal names, watched to its end, and ended as any other. On a thread of its own.
//
// Its output is read from the engine's log, from where the run's own log ends: the stream that
// brought it went with the former broker. Its timeout goes on from its launch, and what has passed
// it while there was no broker is stopped at once.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "broker/run/active_run.h"
#include "broker/run/detached_run.h"
#include "broker/run/disk_watch.h"
#include "broker/run/ending.h"
#include "broker/run/environment.h"
#include "broker/run/log_intake.h"
#include "broker/run/reaper.h"
#include "broker/run/run_events.h"

namespace tidewaiter::run {

class Adoption {
 public:
  // `entry`: of a run that was launched and whose end is not recorded.
  Adoption(const Environment& environment, Backend& backend, JournalEntry entry, ActiveRun& run,
           DetachedRun& watched);

  // Returns when the run has ended and this part of it is over, or when the broker stops: it is
  // left to the next one then.
  void Supervise(Reaper& reaper);

 private:
  std::optional<Result<Adopted>> FindStarted();
  std::optional<Result<Adopted>> Find();
  [[nodiscard]] std::chrono::milliseconds TimeLeft() const;
  std::optional<Ending> Watch();
  std::optional<Outcome> AwaitEnd(Adopted& adopted, LogIntake& intake);
  Outcome Stop(Container& container);
  [[nodiscard]] std::optional<StopCause> CauseOfStop();
  void TellLost(Ending& ending, std::int64_t bytes, std::string_view reason);
  [[nodiscard]] bool Leaves();
  [[nodiscard]] Outcome Unanswered() const;
  [[nodiscard]] Outcome Lost(const std::string& why) const;
  [[nodiscard]] static Outcome FailedToStart(const Error& error);
  void Write(LogLevel level, const std::string& message) const;

  const Environment& environment_;
  Backend& backend_;
  JournalEntry entry_;
  Detachment detachment_;
  const RunFacts facts_;
  ActiveRun& run_;
  DetachedRun& watched_;
  std::shared_ptr<EntryNotes> notes_;
  DiskWatch disk_;
  bool ended_ = false;                 // the container is known to run no more
  std::optional<Error> start_failed_;  // the last attempt, by this broker
};

}  // namespace tidewaiter::run
