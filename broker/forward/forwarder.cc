#include "broker/forward/forwarder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "audit/record_header.h"

namespace tidewaiter::forward {
namespace {

Deadline AtOnce() {
  return Deadline::After(Deadline::Clock::duration::zero());
}

}  // namespace

Forwarder::Forwarder(ForwarderSettings settings, std::unique_ptr<Destination> destination,
                     PositionFile position, audit::Log& audit_log, Log& log)
    : settings_(std::move(settings)),
      destination_(std::move(destination)),
      position_(std::move(position)),
      audit_log_(audit_log),
      log_(log),
      batch_(settings_.most_unconfirmed),
      backoff_(settings_.first_retry, settings_.last_retry) {}

Result<std::unique_ptr<Forwarder>> Forwarder::Start(ForwarderSettings settings,
                                                    std::unique_ptr<Destination> destination,
                                                    audit::Log& audit_log, Log& log) {
  TW_ASSIGN(PositionFile position, PositionFile::Open(settings.state_dir, settings.name));
  std::unique_ptr<Forwarder> forwarder(new Forwarder(std::move(settings), std::move(destination),
                                                     std::move(position), audit_log, log));
  TW_TRY(forwarder->FindBeginning());
  try {
    forwarder->thread_ =
        std::jthread([self = forwarder.get()](const std::stop_token& stop) { self->Run(stop); });
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, "start a thread: " + error.code().message());
  }
  return forwarder;
}

Result<void> Forwarder::FindBeginning() {
  const std::uint64_t end = audit_log_.End().next_index;
  const Result<std::optional<std::uint64_t>> kept = position_.Read();
  std::string doubt;
  if (!kept) {
    doubt = kept.error().message;
  } else if (!*kept) {
    confirmed_ = end;
  } else if (**kept > end) {
    doubt = fmt::format("the position {} lies beyond the log's end, {}: this is another log",
                        **kept, end);
  } else {
    confirmed_ = **kept;
  }
  if (doubt.empty()) {
    expected_ = confirmed_;
  } else {
    log_.Write(LogLevel::kWarning,
               fmt::format("forward to {}: {}; begins with the first record that there is",
                           destination_->Name(), doubt));
  }
  sent_ = confirmed_;
  state_.Lock()->confirmed = confirmed_;
  // Also where nothing is forwarded before a crash, "from now on" must not become "from then on".
  Save();
  return Ok();
}

void Forwarder::Run(const std::stop_token& stop) {
  for (;;) {
    const Result<void> ended = Follow(stop);
    if (stop.stop_requested()) break;
    // What a broken connection may have lost is read again; a line that it did not take is at hand.
    if (unconfirmed_ > 0) {
      tail_.reset();
      line_.reset();
      sent_ = confirmed_;
      if (expected_) expected_ = confirmed_;
      unconfirmed_ = 0;
      // A connection that breaks under many may last for one.
      batch_ = 1;
    }
    // Of a server that was started anew it is no fault that an old connection is none any more.
    if (std::exchange(progressed_, false)) continue;
    if (!MayTryAgain(ended.error(), stop)) break;
  }
  Save();
}

// Until something fails, or the token is stopped.
Result<void> Forwarder::Follow(const std::stop_token& stop) {
  TW_TRY(destination_->Connect(stop, Step()));
  while (!stop.stop_requested()) {
    if (!line_) {
      TW_ASSIGN(const bool taken, TakeLine(stop));
      if (!taken) continue;
    }
    TW_TRY(SendLine());
    if (unconfirmed_ >= batch_ || confirm_by_.Passed()) TW_TRY(Confirm());
  }
  return Ok();
}

// Before it waits, what was sent is confirmed; while it waits, the position is saved. Only a
// destination that has taken all that there is works: to accept connections is not enough.
Result<bool> Forwarder::TakeLine(const std::stop_token& stop) {
  if (!tail_) {
    TW_ASSIGN(audit::Tail tail, audit::Tail::Open(audit_log_, {}, confirmed_));
    tail_.emplace(std::move(tail));
  }
  TW_TRY(ReadLine(stop, AtOnce()));
  if (line_ || stop.stop_requested()) return line_.has_value();
  if (unconfirmed_ > 0) TW_TRY(Confirm());
  NoteWorking();
  TW_TRY(ReadLine(stop, saved_ == confirmed_ ? Deadline::Never() : next_save_));
  if (!line_) Save();
  return line_.has_value();
}

Result<void> Forwarder::ReadLine(const std::stop_token& stop, Deadline deadline) {
  Result<std::optional<audit::Tail::Record>> next = tail_->Next(stop, deadline);
  if (!next) {
    tail_.reset();
    return next.error();
  }
  line_.reset();
  if (*next) line_ = std::move((*next)->line);
  return Ok();
}

Result<void> Forwarder::SendLine() {
  const std::optional<audit::RecordHeader> header = audit::ReadHeader(*line_);
  if (header) {
    NoteJump(header->index);
    TW_TRY(destination_->Send({.line = *line_, .header = *header}, Step()));
    if (unconfirmed_++ == 0) confirm_by_ = Deadline::After(settings_.save_interval);
    sent_ = header->index + 1;
    expected_ = sent_;
  }
  line_.reset();
  return Ok();
}

Result<void> Forwarder::Confirm() {
  TW_TRY(destination_->Confirm(Step()));
  unconfirmed_ = 0;
  confirmed_ = sent_;
  progressed_ = true;
  batch_ = std::min(2 * batch_, settings_.most_unconfirmed);
  NoteWorking();
  if (next_save_.Passed()) Save();
  return Ok();
}

void Forwarder::NoteJump(std::uint64_t index) {
  const std::optional<std::uint64_t> expected = std::exchange(expected_, index);
  if (!expected) return;
  const std::uint64_t first = std::max(*expected, told_);
  if (index <= first) return;
  told_ = index;
  state_.Lock()->missed += index - first;
  log_.Write(LogLevel::kWarning,
             fmt::format("forward to {}: the records {} to {} are no longer in the log and have "
                         "not been forwarded",
                         destination_->Name(), first, index - 1));
}

void Forwarder::NoteWorking() {
  backoff_.Reset();
  bool again = false;
  {
    auto state = state_.Lock();
    state->confirmed = confirmed_;
    again = state->failure.has_value();
    state->failure.reset();
  }
  changed_.notify_all();
  if (again) {
    log_.Write(LogLevel::kInfo, fmt::format("forward to {}: works again", destination_->Name()));
  }
}

// After a pause. False where the token was stopped, or nobody waits for another attempt.
bool Forwarder::MayTryAgain(const Error& error, const std::stop_token& stop) {
  if (!std::exchange(state_.Lock()->failure, error)) {
    log_.Write(LogLevel::kWarning, fmt::format("forward to {}: {}; the records wait in the log",
                                               destination_->Name(), error.message));
  }
  auto state = state_.Lock();
  if (state->hurry) {
    state->gave_up = true;
    changed_.notify_all();
    return false;
  }
  state.Wait(changed_, stop, Deadline::After(backoff_.Next()), [&state] { return state->hurry; });
  return !stop.stop_requested();
}

void Forwarder::Save() {
  next_save_ = Deadline::After(settings_.save_interval);
  if (saved_ == confirmed_) return;
  const Result<void> written = position_.Write(confirmed_);
  if (written) saved_ = confirmed_;
  if (!written && !save_failed_) {
    log_.Write(LogLevel::kWarning,
               fmt::format("forward to {}: keep the position: {}; a restart would send records "
                           "twice",
                           destination_->Name(), written.error().message));
  }
  save_failed_ = !written.has_value();
}

void Forwarder::Hurry() {
  state_.Lock()->hurry = true;
  changed_.notify_all();
}

void Forwarder::Finish(Deadline deadline) {
  Hurry();
  const std::uint64_t end = audit_log_.End().next_index;
  {
    auto state = state_.Lock();
    state.Wait(changed_, {}, deadline, [&] { return state->gave_up || state->confirmed >= end; });
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Forwarder::Standing Forwarder::Now() {
  const std::uint64_t end = audit_log_.End().next_index;
  Standing standing;
  standing.destination = destination_->Name();
  auto state = state_.Lock();
  standing.next_index = state->confirmed;
  if (end > state->confirmed) standing.behind = end - state->confirmed;
  standing.missed = state->missed;
  standing.failure = state->failure;
  return standing;
}

}  // namespace tidewaiter::forward
