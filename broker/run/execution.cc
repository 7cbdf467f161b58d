#include "broker/run/execution.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/printable.h"
#include "broker/run/run_inputs.h"
#include "broker/run/run_outputs.h"

namespace tidewaiter::run {
namespace {

using Clock = Deadline::Clock;

// Between two looks at how full the disk is, while a run may fill it.
constexpr std::chrono::milliseconds kDiskInterval(200);

// Reasons of v1.Truncated.
constexpr std::string_view kStreamLost = "ENGINE_STREAM_LOST";
constexpr std::string_view kRunStopped = "RUN_STOPPED";

Outcome FromExit(const ContainerExit& exit) {
  Outcome outcome;
  outcome.exit_code = exit.exit_code;
  outcome.oom_killed = exit.oom_killed;
  outcome.message = exit.message;
  if (exit.lost) {
    outcome.kind = Outcome::Kind::kFailed;
    outcome.exit_code = 0;
    outcome.message = exit.lost->message;
    outcome.reason = exit.lost->Reason();
  } else {
    outcome.kind = exit.command_failed ? Outcome::Kind::kCommandFailed : Outcome::Kind::kExited;
  }
  return outcome;
}

}  // namespace

Outcome StoppedBy(const StopCause& cause) {
  Outcome outcome;
  switch (cause.kind) {
    case StopCause::Kind::kCancelled:
      outcome.kind = Outcome::Kind::kCancelled;
      if (!cause.by.empty()) outcome.message = "cancelled by " + Quoted(cause.by);
      break;
    case StopCause::Kind::kClientGone: outcome.kind = Outcome::Kind::kClientGone; break;
    case StopCause::Kind::kShutdown:
      outcome.kind = Outcome::Kind::kShutdown;
      outcome.message = "the broker is shutting down";
      break;
  }
  return outcome;
}

Execution::Execution(const Environment& environment, Backend& backend, const RunFacts& facts,
                     const policy::AdmittedRun& admitted, const RunRequest& request, ActiveRun& run)
    : environment_(environment),
      settings_(environment.settings),
      backend_(backend),
      facts_(facts),
      admitted_(admitted),
      request_(request),
      run_(run),
      observer_(*request.observer),
      has_outputs_(HasOutputs(admitted.effective())) {}

Outcome Execution::Run(JournalEntry& entry, std::vector<Resource>& resources) {
  const policy::EffectiveRun& effective = admitted_.effective();
  const std::stop_token stop = run_.stop_token();
  auto inputs = TakeInputs(environment_, facts_, effective, request_.uploads.get(), stop);
  if (!inputs) return Failed(inputs.error());
  if (auto made = PrepareOutputs(environment_, facts_, effective); !made) {
    return Failed(made.error());
  }
  const Patience patience{.stop = stop, .deadline = Deadline::After(settings_.prepare_timeout)};
  auto image = backend_.Resolve(admitted_, observer_, patience);
  if (!image) return Failed(image.error());
  image_ = *std::move(image);
  entry.resolved = image_;
  // Only for the record of a run that a crash ends: nothing depends on it.
  static_cast<void>(environment_.journal->Update(entry));
  if (const auto cause = run_.stop_cause()) return StoppedBy(*cause);

  resources = entry.resources;  // from here on they may exist, whatever Create says
  const MountSources sources =
      environment_.files != nullptr ? environment_.files->Sources(facts_.run_id) : MountSources();
  auto container = backend_.Create({.admitted = admitted_,
                                    .run_id = facts_.run_id,
                                    .principal = facts_.caller.principal,
                                    .image = image_,
                                    .sources = sources,
                                    .with_stdin = request_.with_stdin},
                                   resources, patience);
  if (!container) return Failed(container.error());
  container_id_ = (*container)->id();
  run_.SetContainer(container_id_);

  OutputLimiter output(observer_, effective.limits.log_bytes);
  auto attachment = (*container)->Attach(output, request_.with_stdin, patience);
  if (!attachment) return Failed(attachment.error());
  observer_.OnAttached(**attachment);
  Outcome outcome = StartAndWait(**container, **attachment, output, patience);
  observer_.OnAttachmentClosing();
  if ((*attachment)->ended().Peek().value_or(std::nullopt)) output_lost_ = kStreamLost;
  attachment->reset();  // no output from here on
  TellTruncation(output);
  ReturnOutputs(outcome);
  return outcome;
}

// A run that writes outputs is bounded by nothing but this. Who of several fills the disk is not
// known: all are stopped, which is better than a host whose disk is full.
bool Execution::DiskIsLow() {
  if (!has_outputs_) return false;
  auto room = environment_.files->CheckRoom(0);
  if (room || room.error().Reason() != "DISK_LOW") return false;
  disk_low_ = std::move(room).error();
  return true;
}

// Not of a container that may still write, nor to somebody who has called the run off.
void Execution::ReturnOutputs(const Outcome& outcome) {
  using Kind = Outcome::Kind;
  const bool wanted = outcome.kind == Kind::kExited || outcome.kind == Kind::kTimedOut ||
                      outcome.kind == Kind::kCommandFailed;
  if (!wanted || !ended_) return;
  SendOutputs(environment_, facts_, admitted_.effective(), observer_, run_.stop_token());
}

Outcome Execution::StartAndWait(Container& container, Attachment& attachment, OutputLimiter& output,
                                const Patience& patience) {
  if (auto started = container.Start(patience); !started) return Failed(started.error());
  const Clock::time_point begin = Clock::now();
  std::optional<ContainerExit> exit = container.exited().Peek();
  if (!exit || !exit->command_failed) {
    RecordStart();
    run_.MarkStarted();
    observer_.OnStarted(image_, container_id_);
  }

  exit = AwaitExit(container, output);
  Outcome outcome;
  if (exit) {
    outcome = FromExit(*exit);
  } else {
    const auto cause = run_.stop_cause();
    if (cause && cause->kind == StopCause::Kind::kClientGone) return StoppedBy(*cause);
    // An engine that withholds an exit neither tells of it nor takes a signal before this.
    if (output.ClientFull()) output.DropRest();
    const Stopped stopped = Stop(container);
    exit = stopped.exit;
    if (exit && stopped.by_itself) {
      outcome = FromExit(*exit);  // only the news of it came late
    } else {
      outcome.kind = Outcome::Kind::kTimedOut;
      if (cause) outcome = StoppedBy(*cause);
      if (disk_low_) outcome = Failed(*disk_low_);
      if (exit) outcome.exit_code = exit->exit_code;
    }
  }
  ended_ = exit && !exit->lost;
  outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  AwaitOutput(attachment, output, exit);
  return outcome;
}

// Nothing where the run is asked to stop or has reached its timeout. The timeout is the
// container's: an engine (seen with 20.10, moby#41827) may tell of an exit only once the output
// before it has been read, and how long that takes is the client's doing. So while there is output
// on its way, the engine is asked whether it withholds an exit; if it does, the client gets what it
// gets after any other exit (AwaitOutput): as long as it reads, and output_stall where it does not.
std::optional<ContainerExit> Execution::AwaitExit(Container& container, OutputLimiter& output) {
  const Patience patience{.stop = run_.stop_token(), .deadline = Deadline::Never()};
  const Deadline limit = Deadline::After(admitted_.effective().limits.timeout);
  const auto stalled = [&] { return output.StallsAt(settings_.output_stall).Passed(); };
  for (;;) {
    const Deadline look = Deadline::After(
        has_outputs_ ? std::min(settings_.output_stall, kDiskInterval) : settings_.output_stall);
    const Deadline until = limit.Passed() ? look : look.Sooner(limit);
    if (auto exit = container.exited().Wait(patience.stop, until)) return exit;
    if (patience.stop.stop_requested()) return std::nullopt;
    if (DiskIsLow()) return std::nullopt;
    const bool late = limit.Passed();
    if (stalled() && !output.ClientFull()) {  // nothing that could be waited for
      if (late) return std::nullopt;
      continue;
    }
    if (!late && !stalled()) continue;
    if (!container.EndIsWithheld(patience)) {
      if (late) return container.exited().Peek();  // it may have been told meanwhile
    } else if (output.ClientFull() && stalled()) {
      output.DropRest();
    }
  }
}

// Not inlined: the event would lie in the frame in which the run waits (see supervisor.cc).
[[gnu::noinline]] void Execution::RecordStart() {
  environment_.audit->AppendEventually(StartedEvent(facts_, image_, container_id_));
}

// How long the output may still take once the container has ended, as `exit` says.
Patience Execution::OutputPatience(const std::optional<ContainerExit>& exit) {
  const auto cause = run_.stop_cause();
  const bool unread = cause && cause->kind == StopCause::Kind::kClientGone;
  // Without an exit it does not end before the removal.
  if (!exit || unread) return {.stop = {}, .deadline = Deadline::After({})};
  // A stop that is known gets its grace; one that comes later ends the wait.
  if (cause || exit->lost) return {.stop = {}, .deadline = Deadline::After(settings_.stop_grace)};
  return {.stop = run_.stop_token(), .deadline = Deadline::Never()};
}

// SIGTERM, and SIGKILL after the grace; at once where the disk fills up meanwhile. What survives
// even that is left to the forced removal.
Execution::Stopped Execution::Stop(Container& container) {
  Stopped stopped;
  for (const int signal_number : {SIGTERM, SIGKILL}) {
    if (signal_number == SIGTERM && disk_low_) continue;
    const Patience grace{.stop = {}, .deadline = Deadline::After(settings_.stop_grace)};
    // An engine that does not take the signal may still tell of the exit.
    const Result<bool> signalled = container.Signal(signal_number, grace);
    if (signal_number == SIGTERM) stopped.by_itself = signalled && !*signalled;
    stopped.exit = container.exited().Wait({}, grace.deadline);
    if (stopped.exit) break;
  }
  return stopped;
}

// The container is gone, so what output there is, is finite; but neither a client that does not
// read nor an engine that does not send may hold the run for ever.
void Execution::AwaitOutput(Attachment& attachment, OutputLimiter& output,
                            const std::optional<ContainerExit>& exit) {
  const Patience patience = OutputPatience(exit);
  std::string_view missing = exit && exit->lost ? kStreamLost : kRunStopped;
  for (;;) {
    const Deadline stalls_at = output.StallsAt(settings_.output_stall);
    if (attachment.ended().Wait(patience.stop, stalls_at.Sooner(patience.deadline))) return;
    if (patience.stop.stop_requested() || patience.deadline.Passed()) break;
    if (!output.StallsAt(settings_.output_stall).Passed()) continue;
    if (!output.ClientFull()) {
      missing = kStreamLost;
      break;
    }
    output.DropRest();
  }
  // Whose doing it is that the rest is missing.
  if (output.ClientFull()) {
    output.DropRest();
  } else {
    output_lost_ = missing;
  }
}

void Execution::TellTruncation(const OutputLimiter& output) {
  dropped_output_bytes_ = output.dropped_over_limit() + output.dropped_unread();
  if (output.dropped_over_limit() > 0) {
    observer_.OnTruncated(output.dropped_over_limit(), "LOG_LIMIT");
  }
  if (output.dropping()) observer_.OnTruncated(output.dropped_unread(), "SLOW_CLIENT");
  if (!output_lost_.empty()) observer_.OnTruncated(0, output_lost_);
}

// What was given up because the run was asked to stop did not fail. What failed by itself did, even
// where the caller hung up in that moment: the record must say so.
Outcome Execution::Failed(const Error& error) {
  const auto cause = run_.stop_cause();
  if (cause && error.code == ErrorCode::kCancelled) return StoppedBy(*cause);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kFailed;
  outcome.message = error.message;
  outcome.reason = error.Reason();
  return outcome;
}

}  // namespace tidewaiter::run
