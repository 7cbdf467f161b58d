#include "broker/run/adoption.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include "base/printable.h"
#include "broker/run/execution.h"
#include "broker/run/run_end.h"
#include "broker/run/run_outputs.h"
#include "broker/run/stop_container.h"

namespace tidewaiter::run {
namespace {

using Kind = Outcome::Kind;
using std::chrono::milliseconds;

// Reasons of v1.Truncated.
constexpr std::string_view kStreamLost = "ENGINE_STREAM_LOST";
constexpr std::string_view kLogLimit = "LOG_LIMIT";
constexpr std::string_view kLogFailed = "LOG_FAILED";
constexpr std::string_view kRunStopped = "RUN_STOPPED";

// For one question to the engine.
constexpr milliseconds kAsk = std::chrono::seconds(30);
// For how many teardown timeouts (ten minutes by default) an engine that is silent is asked about a
// run whose time is over: it may be back later than the broker, and knows how the run ended.
constexpr int kPatience = 20;
// How often a container that was not started yet is started.
constexpr int kStarts = 5;

void Sleep(const std::stop_token& stop, milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

const Resource* ContainerOf(const JournalEntry& entry) {
  const auto found =
      std::find_if(entry.resources.begin(), entry.resources.end(),
                   [](const Resource& resource) { return RunsCommand(resource.kind); });
  return found == entry.resources.end() ? nullptr : &*found;
}

Error StillRuns() {
  return Fail(ErrorCode::kFailedPrecondition, "its container is not known to have ended");
}

// What an engine has no room for now, or does not take, is not a start that may have gone astray.
bool IsFinal(const Error& error) {
  return error.code == ErrorCode::kResourceExhausted ||
         error.code == ErrorCode::kFailedPrecondition;
}

// Nothing more is to be learned by asking again.
bool IsAnswer(const Result<Adopted>& adopted) {
  return adopted || adopted.error().code == ErrorCode::kNotFound ||
         adopted.error().Reason() == "FOREIGN_CONTAINER";
}

}  // namespace

Adoption::Adoption(const Environment& environment, Backend& backend, JournalEntry entry,
                   ActiveRun& run, DetachedRun& watched)
    : environment_(environment),
      backend_(backend),
      entry_(std::move(entry)),
      detachment_(entry_.detachment.value_or(Detachment())),
      facts_(FactsOf(entry_)),
      run_(run),
      watched_(watched),
      notes_(std::make_shared<EntryNotes>(environment)),
      disk_(environment, true) {}

void Adoption::Supervise(Reaper& reaper) {
  std::optional<Ending> ending = Watch();
  if (!ending) {
    run_.MarkLeft();
    Write(LogLevel::kInfo, "goes on; the next broker adopts it");
    return;
  }
  ending->notes = std::move(notes_);
  EndRun(environment_, reaper, run_,
         {.backend = backend_,
          .facts = facts_,
          .entry = entry_,
          .resources = entry_.resources,
          .ending = *std::move(ending),
          .observer = watched_,
          .refused = false});
}

// Nothing where the run is left to the next broker.
std::optional<Ending> Adoption::Watch() {
  Ending ending{.outcome = {},
                .image = entry_.resolved,
                .container_id = {},
                .dropped_output_bytes = 0,
                .truncated = {},
                .outputs = {},
                .container_ended = false};
  std::optional<Result<Adopted>> found = FindStarted();
  if (!found) {
    if (Leaves()) return std::nullopt;
    const auto cause = run_.stop_cause();
    ending.outcome = cause ? StoppedBy(*cause) : Unanswered();
    return ending;
  }
  if (!*found) {
    ending.outcome = start_failed_ ? FailedToStart(found->error()) : Lost(found->error().message);
    return ending;
  }
  Adopted& adopted = **found;
  ending.container_id = adopted.container->id();
  notes_->NoteRunner(*adopted.container, entry_, run_.stop_token());
  run_.SetContainer(ending.container_id);
  environment_.audit->AppendEventually(AdoptedEvent(facts_, entry_.resolved, ending.container_id));
  watched_.OnStarted(entry_.resolved, ending.container_id);

  LogIntake intake(*adopted.container, watched_,
                   watched_.Resume(static_cast<std::uint64_t>(detachment_.log_bytes),
                                   adopted.container->FollowsLog()),
                   detachment_.log_bytes, environment_.settings.output_stall);
  auto outcome = AwaitEnd(adopted, intake);
  if (!outcome) {
    intake.Close();
    static_cast<void>(watched_.OnAttachmentClosing());
    return std::nullopt;
  }
  ending.outcome = *std::move(outcome);
  // Of a container that ended the log is whole; another one is removed first of all.
  const auto rest = run_.stop_cause() ? std::stop_token() : run_.stop_token();
  const auto read = ended_ ? intake.ReadRest(rest) : Result<void>(StillRuns());
  intake.Close();
  if (Leaves()) {
    static_cast<void>(watched_.OnAttachmentClosing());
    return std::nullopt;
  }
  if (intake.dropped_over_limit() > 0) TellLost(ending, intake.dropped_over_limit(), kLogLimit);
  if (intake.dropped_unread() > 0) TellLost(ending, intake.dropped_unread(), kLogFailed);
  if (!read) {
    Write(LogLevel::kWarning, "read its output: " + read.error().message);
    const bool stopped = read.error().code == ErrorCode::kCancelled;
    TellLost(ending, 0, intake.Full() ? kLogLimit : stopped ? kRunStopped : kStreamLost);
  }
  const RunObserver::Loss loss = watched_.OnAttachmentClosing();
  if (!loss.reason.empty()) TellLost(ending, loss.bytes, loss.reason);
  // As of a run that was watched all the time: not of a container that may still write, nor to
  // somebody who has called the run off.
  const Kind kind = ending.outcome.kind;
  Container* const carried_by = backend_.Carriage().carried ? adopted.container.get() : nullptr;
  if ((ended_ || carried_by != nullptr) &&
      (kind == Kind::kExited || kind == Kind::kTimedOut || kind == Kind::kCommandFailed)) {
    ending.outputs = SendOutputs(environment_, facts_,
                                 {.names = detachment_.outputs,
                                  .max_bytes = static_cast<std::uint64_t>(detachment_.output_bytes),
                                  .again = true},
                                 carried_by, watched_, run_.stop_token());
    if (Leaves() && MissesOutputs(ending.outputs)) return std::nullopt;
  }
  ending.container_ended = ended_;
  return ending;
}

// The container, running or ended; created only, where it is not wanted any more. Nothing where the
// run is stopped, or long out of time, before the engine says anything.
std::optional<Result<Adopted>> Adoption::FindStarted() {
  for (int starts = 0;; ++starts) {
    std::optional<Result<Adopted>> found = Find();
    if (!found || !*found || (*found)->state != Adopted::State::kCreated) return found;
    if (start_failed_ && (starts == kStarts || IsFinal(*start_failed_))) return *start_failed_;
    if (!(*found)->start_error.empty()) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "its container could not be started: " + (*found)->start_error);
    }
    // Nobody wants it to run any more.
    if (!detachment_.cancelled_by.empty()) return found;
    // The former broker died amid the start. Where the engine has heard of it all the same, to ask
    // again changes nothing.
    detachment_.launch = Launch::Now();
    entry_.detachment = detachment_;
    Result<void> started = environment_.journal->Update(entry_);
    if (started) {
      started = (*found)->container->Start(
          {.stop = run_.stop_token(),
           .deadline = Deadline::After(environment_.settings.prepare_timeout)});
    }
    if (started) return found;
    if (run_.stop_token().stop_requested()) return std::nullopt;
    // The engine is asked what has come of it.
    start_failed_ = started.error();
    Write(LogLevel::kWarning, "start its container: " + started.error().message);
    Sleep(run_.stop_token(), environment_.settings.reap_retry_min);
  }
}

// What the engine says of the container; nothing as above.
std::optional<Result<Adopted>> Adoption::Find() {
  const Resource* const container = ContainerOf(entry_);
  if (container == nullptr) return Fail(ErrorCode::kNotFound, "its journal names no container");
  const std::stop_token stop = run_.stop_token();
  // Whoever waits for it is to have an answer some time.
  const Deadline patience =
      Deadline::After(TimeLeft() + kPatience * environment_.settings.teardown_timeout);
  milliseconds pause = environment_.settings.reap_retry_min;
  while (true) {
    Result<Adopted> adopted =
        backend_.Adopt({.container = *container, .runner = RunnerOf(entry_)}, run_.run_id(),
                       {.stop = stop, .deadline = Deadline::After(kAsk)});
    if (IsAnswer(adopted)) return adopted;
    if (stop.stop_requested() || patience.Passed()) return std::nullopt;
    Write(LogLevel::kWarning, "adopt its container: " + adopted.error().message + "; trying again");
    Sleep(stop, pause);
    pause = std::min(2 * pause, environment_.settings.reap_retry_max);
  }
}

// Of its timeout; never negative.
milliseconds Adoption::TimeLeft() const {
  const milliseconds elapsed = detachment_.launch.value_or(Launch()).Elapsed(Launch::Now());
  return std::max(detachment_.timeout - elapsed, milliseconds::zero());
}

// Nothing where the run is left to the next broker.
std::optional<Outcome> Adoption::AwaitEnd(Adopted& adopted, LogIntake& intake) {
  Container& container = *adopted.container;
  const std::stop_token stop = run_.stop_token();
  const Launch launch = detachment_.launch.value_or(Launch());
  const milliseconds timeout = detachment_.timeout;
  const Deadline limit = Deadline::After(TimeLeft());
  std::optional<ContainerExit> exit = container.exited().Peek();
  const bool ended_before = exit.has_value();
  const bool called_off = !detachment_.cancelled_by.empty();
  while (!exit && !called_off && !limit.Passed() && !stop.stop_requested() && !disk_.IsLow()) {
    intake.ReadNow(stop, limit);
    exit = container.exited().Wait(stop, limit.Sooner(disk_.NextLook()).Sooner(intake.NextRead()));
  }
  if (!exit && !called_off && !disk_.error() && Leaves()) return std::nullopt;
  Outcome outcome;
  if (exit) {
    outcome = FromExit(*exit);
    ended_ = !exit->lost;
    if (ended_ && called_off) {  // by that
      outcome = StoppedBy(*CauseOfStop());
      outcome.exit_code = exit->exit_code;
    }
  } else {
    outcome = Stop(container);
  }
  outcome.duration = launch.Elapsed(Launch::Now());
  if (ended_before && adopted.started_at && adopted.finished_at) {
    // The engine's clock is the wall's, which may have been set in between.
    const auto told =
        std::chrono::duration_cast<milliseconds>(*adopted.finished_at - *adopted.started_at);
    const milliseconds ran = std::clamp(told, milliseconds::zero(), *outcome.duration);
    outcome.duration = ran;
    // Nobody was there to stop it.
    if (outcome.kind == Kind::kExited && ran > timeout) {
      outcome.kind = Kind::kTimedOut;
      outcome.message = "it ended after its timeout, while there was no broker";
    }
  }
  return outcome;
}

Outcome Adoption::Stop(Container& container) {
  // As it is now: it may get low meanwhile.
  const std::optional<Error> disk_low = disk_.error();
  const std::optional<StopCause> cause = CauseOfStop();
  notes_->NoteCancel(cause, entry_);
  const Stopped stopped = StopContainer(container, environment_.settings.stop_grace, disk_);
  ended_ = stopped.exit && !stopped.exit->lost;
  if (stopped.exit && stopped.by_itself) return FromExit(*stopped.exit);
  Outcome outcome;
  outcome.kind = Kind::kTimedOut;
  if (cause) outcome = StoppedBy(*cause);
  if (disk_low) {
    outcome.kind = Kind::kFailed;
    outcome.message = disk_low->message;
    outcome.reason = disk_low->Reason();
  }
  if (stopped.exit) outcome.exit_code = stopped.exit->exit_code;
  return outcome;
}

// A former broker may have died while it stopped the run.
std::optional<StopCause> Adoption::CauseOfStop() {
  if (detachment_.cancelled_by.empty()) return run_.stop_cause();
  return StopCause{.kind = StopCause::Kind::kCancelled, .by = detachment_.cancelled_by};
}

void Adoption::TellLost(Ending& ending, std::int64_t bytes, std::string_view reason) {
  if (ending.truncated.empty()) ending.truncated = reason;
  ending.dropped_output_bytes += bytes;
  watched_.OnTruncated(bytes, reason);
}

// Whether the broker is what stops it.
bool Adoption::Leaves() {
  const auto cause = run_.stop_cause();
  return cause && cause->kind == StopCause::Kind::kShutdown;
}

Outcome Adoption::Lost(const std::string& why) const {
  Outcome outcome;
  outcome.kind = Kind::kLost;
  outcome.message = "the broker ended before the run did: " + why;
  return outcome;
}

// It has never run.
Outcome Adoption::FailedToStart(const Error& error) {
  Outcome outcome;
  outcome.kind = Kind::kFailed;
  outcome.message = error.message;
  outcome.reason = error.Reason();
  return outcome;
}

Outcome Adoption::Unanswered() const {
  Outcome outcome;
  outcome.kind = Kind::kTimedOut;
  outcome.message = "its engine did not say what has become of its container";
  return outcome;
}

void Adoption::Write(LogLevel level, const std::string& message) const {
  if (environment_.log == nullptr) return;
  environment_.log->Write(level, "run " + Quoted(run_.run_id().value()) + " of " +
                                     Quoted(run_.caller().principal) + ": " + message);
}

}  // namespace tidewaiter::run
