#include "broker/run/execution.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "base/stack_trim.h"
#include "broker/run/run_inputs.h"
#include "broker/run/run_outputs.h"
#include "broker/run/stop_container.h"

namespace tidewaiter::run {
namespace {

using Clock = Deadline::Clock;

// Reasons of v1.Truncated.
constexpr std::string_view kStreamLost = "ENGINE_STREAM_LOST";
constexpr std::string_view kRunStopped = "RUN_STOPPED";

bool StreamLost(Container& container, Attachment& attachment) {
  return attachment.ended().Peek().value_or(std::nullopt) || container.StreamsCutOff();
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
      has_outputs_(!OutputsOf(admitted.effective()).names.empty()),
      disk_(environment, has_outputs_ || request.detached),
      notes_(std::make_shared<EntryNotes>(environment)) {}

Ending Execution::Run(JournalEntry& entry, std::vector<Resource>& resources) {
  Outcome outcome = RunNow(entry, resources);
  return {.outcome = std::move(outcome),
          .image = std::move(image_),
          .container_id = std::move(container_id_),
          .dropped_output_bytes = dropped_output_bytes_,
          .truncated = std::string(truncated_),
          .outputs = std::move(outputs_),
          .container_ended = ended_,
          .notes = std::move(notes_)};
}

Outcome Execution::RunNow(JournalEntry& entry, std::vector<Resource>& resources) {
  const policy::EffectiveRun& effective = admitted_.effective();
  const std::stop_token stop = run_.stop_token();
  const FileCarriage carriage = backend_.Carriage();
  auto inputs = TakeInputs(environment_, facts_, effective, carriage, request_.uploads.get(), stop);
  if (!inputs) return Failed(inputs.error());
  if (auto room = ReserveRoom(); !room) return Failed(room.error());
  if (!carriage.carried) {
    if (auto made = PrepareOutputs(environment_, facts_, effective); !made) {
      return Failed(made.error());
    }
  }
  const Patience patience{.stop = stop, .deadline = Deadline::After(settings_.prepare_timeout)};
  auto image = backend_.Resolve(admitted_, observer_, patience);
  if (!image) return Failed(image.error());
  image_ = *std::move(image);
  entry.resolved = image_;
  // For the record of a run that a crash ends; and what is not written so has made nothing.
  if (auto noted = environment_.journal->Update(entry); !noted) return Failed(noted.error());
  if (const auto cause = run_.stop_cause()) return StoppedBy(*cause);

  resources = entry.resources;  // from here on they may exist, whatever Create says
  const MountSources sources =
      environment_.files != nullptr ? environment_.files->Sources(facts_.run_id) : MountSources();
  auto container = backend_.Create({.admitted = admitted_,
                                    .run_id = facts_.run_id,
                                    .principal = facts_.caller.principal,
                                    .image = image_,
                                    .sources = sources,
                                    .read_input = ReaderOfInputs(),
                                    .with_stdin = request_.with_stdin,
                                    .keeps_log = request_.detached},
                                   resources, patience);
  if (!container) return Failed(container.error());
  container_id_ = (*container)->id();
  run_.SetContainer(container_id_);
  if (auto noted = NoteLaunch(entry, resources); !noted) return Failed(noted.error());

  OutputLimiter output(observer_, effective.limits.log_bytes);
  auto attachment = (*container)->Attach(output, request_.with_stdin, patience);
  if (!attachment) return Failed(attachment.error());
  observer_.OnAttached(**attachment);
  Outcome outcome = StartAndWait(**container, *attachment, output, entry, patience);
  if (!left_) ReadRestOfLog(**container, *attachment, output);
  const RunObserver::Loss loss = observer_.OnAttachmentClosing();
  attachment->reset();  // no output from here on
  if (!left_) TellTruncation(output);
  log_.reset();  // with its container
  if (left_) return outcome;
  if (!loss.reason.empty()) TellTruncated(loss.bytes, loss.reason);
  dropped_output_bytes_ += loss.bytes;
  ReturnOutputs(outcome, carriage.carried ? container->get() : nullptr);
  // The next broker finds the container as it is, reads its log and packs its outputs.
  left_ = ShutsDownDetached() && (MissesOutputs(outputs_) || output_lost_ == kRunStopped);
  return outcome;
}

// For what is kept of a detached run, before the engine hears of it.
Result<void> Execution::ReserveRoom() {
  if (!request_.detached) return Ok();
  const policy::Limits& limits = admitted_.effective().limits;
  auto bytes = static_cast<std::uint64_t>(limits.log_bytes);
  if (has_outputs_) bytes += static_cast<std::uint64_t>(limits.output_bytes);
  TW_TRY(environment_.files->CheckRoom(bytes));
  return environment_.files->Reserve(facts_.run_id, facts_.caller.principal, bytes);
}

InputReader Execution::ReaderOfInputs() {
  return [this](const std::string& name, const ArchiveWriter& write, const Patience& patience) {
    return environment_.files->SendInput(facts_.run_id, name, write, patience);
  };
}

bool Execution::ShutsDownDetached() {
  const auto cause = run_.stop_cause();
  return request_.detached && cause && cause->kind == StopCause::Kind::kShutdown;
}

// Not of a container that may still write, nor to somebody who has called the run off. A backend
// that carries them knows for itself whether they are to be had.
void Execution::ReturnOutputs(const Outcome& outcome, Container* carried_by) {
  using Kind = Outcome::Kind;
  const bool wanted = outcome.kind == Kind::kExited || outcome.kind == Kind::kTimedOut ||
                      outcome.kind == Kind::kCommandFailed;
  if (!wanted || (!ended_ && carried_by == nullptr)) return;
  RunOutputs outputs = OutputsOf(admitted_.effective());
  outputs.again = request_.detached;
  outputs_ = SendOutputs(environment_, facts_, outputs, carried_by, observer_, run_.stop_token());
}

// From here on the container may run, and the next broker, if this one dies, is to go on with it.
// What is not written so is taken for one that never ran, and its key for free: so it must not.
Result<void> Execution::NoteLaunch(JournalEntry& entry,
                                   const std::vector<Resource>& resources) const {
  if (!entry.detachment) return Ok();
  entry.resources = resources;
  entry.detachment->launch = Launch::Now();
  Result<void> noted = environment_.journal->Update(entry);
  if (!noted) entry.detachment->launch.reset();
  return noted;
}

Outcome Execution::StartAndWait(Container& container, AttachmentPtr& attachment,
                                OutputLimiter& output, JournalEntry& entry,
                                const Patience& patience) {
  const Clock::time_point asked = Clock::now();
  if (auto started = container.Start(patience); !started) {
    // It may have been started all the same: the next broker finds out, and knows by what.
    left_ = ShutsDownDetached();
    if (left_) notes_->NoteRunner(container, entry, run_.stop_token());
    return Failed(started.error());
  }
  const Clock::time_point begin = Clock::now();
  // Before anybody is told that it has started: from here on it is never to run again.
  notes_->NoteRunner(container, entry, run_.stop_token());
  std::optional<ContainerExit> exit = container.exited().Peek();
  if (!exit || !exit->command_failed) {
    RecordStart();
    run_.MarkStarted();
    observer_.OnStarted(image_, container_id_);
  }

  exit = AwaitExit(container, attachment, output,
                   Deadline::At(begin + admitted_.effective().limits.timeout));
  Outcome outcome;
  if (exit) {
    outcome = FromExit(*exit);
  } else {
    const auto cause = run_.stop_cause();
    if (cause && cause->kind == StopCause::Kind::kClientGone) return StoppedBy(*cause);
    left_ = ShutsDownDetached();
    if (left_) return StoppedBy(*cause);
    // An engine that withholds an exit neither tells of it nor takes a signal before this.
    if (output.ClientFull()) output.DropRest();
    const bool filled = disk_.error().has_value();
    notes_->NoteCancel(cause, entry);
    const Stopped stopped = StopContainer(container, settings_.stop_grace, disk_);
    exit = stopped.exit;
    if (exit && stopped.by_itself) {
      outcome = FromExit(*exit);  // only the news of it came late
    } else {
      outcome.kind = Outcome::Kind::kTimedOut;
      if (cause) outcome = StoppedBy(*cause);
      if (filled) outcome = Failed(*disk_.error());
      if (exit) outcome.exit_code = exit->exit_code;
    }
  }
  ended_ = exit && !exit->lost;
  outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  // Not more than there was: an engine's clock may be set.
  if (exit && exit->ran) {
    const auto most = std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - asked);
    outcome.duration = std::max(*outcome.duration, std::min(*exit->ran, most));
  }
  if (!log_) AwaitOutput(*attachment, output, exit);
  return outcome;
}

// The stream of a detached run broke, or ended with the engine, which may be there again and the
// container with it: what is missing is in the engine's log. One that is such a log itself has been
// taken up again by itself, as long as that was of use.
void Execution::ReadLogInstead(Container& container, AttachmentPtr& attachment,
                               const OutputLimiter& output) {
  if (log_ || !request_.detached || container.FollowsLog()) return;
  if (output.dropping() || !StreamLost(container, *attachment)) return;
  attachment.reset();
  log_.emplace(container, observer_, output.passed(), admitted_.effective().limits.log_bytes,
               settings_.output_stall);
}

// Once the container has ended.
void Execution::ReadRestOfLog(Container& container, AttachmentPtr& attachment,
                              const OutputLimiter& output) {
  if (!log_ && StreamLost(container, *attachment)) output_lost_ = kStreamLost;
  if (ended_) ReadLogInstead(container, attachment, output);
  if (!log_) return;
  output_lost_ = kStreamLost;
  if (!ended_) return;
  const auto stop = run_.stop_cause() ? std::stop_token() : run_.stop_token();
  if (log_->ReadRest(stop)) {
    output_lost_ = {};
  } else if (stop.stop_requested()) {
    output_lost_ = kRunStopped;
  }
}

// Nothing where the run is asked to stop or has reached its timeout. The timeout is the
// container's: an engine (seen with 20.10, moby#41827) may tell of an exit only once the output
// before it has been read, and how long that takes is the client's doing. So while there is output
// on its way, the engine is asked whether it withholds an exit; if it does, the client gets what it
// gets after any other exit (AwaitOutput): as long as it reads, and output_stall where it does not.
std::optional<ContainerExit> Execution::AwaitExit(Container& container, AttachmentPtr& attachment,
                                                  OutputLimiter& output, Deadline limit) {
  const Patience patience{.stop = run_.stop_token(), .deadline = Deadline::Never()};
  const auto stalled = [&] { return output.StallsAt(settings_.output_stall).Passed(); };
  TrimStack();
  for (;;) {
    ReadLogInstead(container, attachment, output);
    if (log_) log_->ReadNow(patience.stop, limit);
    Deadline look = Deadline::After(settings_.output_stall).Sooner(disk_.NextLook());
    if (log_) look = look.Sooner(log_->NextRead());
    const Deadline until = limit.Passed() ? look : look.Sooner(limit);
    if (auto exit = container.exited().Wait(patience.stop, until)) return exit;
    if (patience.stop.stop_requested()) return std::nullopt;
    if (disk_.IsLow()) return std::nullopt;
    const bool late = limit.Passed();
    if (log_ || (stalled() && !output.ClientFull())) {  // nothing that could be waited for
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

// The container is gone, so what output there is, is finite; but neither a client that does not
// read nor an engine that does not send may hold the run for ever.
void Execution::AwaitOutput(Attachment& attachment, OutputLimiter& output,
                            const std::optional<ContainerExit>& exit) {
  const Patience patience = OutputPatience(exit);
  output.OnContainerEnd();
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
  // The log has what the stream had over the limit, too.
  const std::int64_t over_limit =
      std::max(output.dropped_over_limit(), log_ ? log_->dropped_over_limit() : 0);
  const std::int64_t unwritten = log_ ? log_->dropped_unread() : 0;
  dropped_output_bytes_ = over_limit + output.dropped_unread() + unwritten;
  if (over_limit > 0) TellTruncated(over_limit, "LOG_LIMIT");
  if (output.dropping()) TellTruncated(output.dropped_unread(), "SLOW_CLIENT");
  if (unwritten > 0) TellTruncated(unwritten, "LOG_FAILED");
  if (!output_lost_.empty()) TellTruncated(0, output_lost_);
}

void Execution::TellTruncated(std::int64_t dropped_bytes, std::string_view reason) {
  if (truncated_.empty()) truncated_ = reason;
  observer_.OnTruncated(dropped_bytes, reason);
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
