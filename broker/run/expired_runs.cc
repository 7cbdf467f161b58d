#include "broker/run/expired_runs.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/printable.h"
#include "broker/run/run_events.h"

namespace tidewaiter::run {

void ExpiredRuns::Add(const RunId& run_id, std::optional<std::string> log_mark) {
  state_.Lock()->push_back(
      std::make_shared<Item>(Item{.run_id = run_id,
                                  .log_mark = std::move(log_mark),
                                  .recorded = nullptr,
                                  .pause = environment_.settings.reap_retry_min}));
}

void ExpiredRuns::Attempt(const std::stop_token& stop) {
  const Items items = *state_.Lock();
  Items unclear;
  for (const auto& item : items) {
    if (stop.stop_requested()) return;
    if (!item->next_attempt.Passed()) continue;
    if (!item->removed) RemoveFiles(*item);
    if (item->removed && item->log_mark) unclear.push_back(item);
  }
  if (!unclear.empty()) AskLog(unclear);
  Items silent;
  bool awaits = false;
  for (const auto& item : items) {
    if (stop.stop_requested()) return;
    if (!item->removed || item->log_mark) continue;
    if (!item->recorded) Record(*item);
    if (!item->recorded->Peek()) {
      silent.push_back(item);
      awaits = awaits || !item->asked_again;
    } else if (item->next_attempt.Passed() && Forget(*item)) {
      std::erase(*state_.Lock(), item);
    }
  }
  awaits_record_ = awaits;
  if (silent.empty()) {
    ask_again_ = Deadline::Never();
  } else if (ask_again_.never()) {
    ask_again_ = Deadline::After(environment_.settings.reap_retry_max);
  } else if (ask_again_.Passed()) {
    AskAgain(silent);
    ask_again_ = Deadline::After(environment_.settings.reap_retry_max);
  }
}

void ExpiredRuns::RemoveFiles(Item& item) {
  const Deadline deadline = Deadline::After(environment_.settings.teardown_timeout);
  const Removal removal = environment_.journal->RemoveKept(item.run_id, deadline);
  if (!removal.confirmed_absent) return Fail(item, removal.error);
  item.removed = true;
  environment_.files->Forget(item.run_id);
  Succeed(item);
}

// Of those that a former process has marked: it may have recorded them, too.
void ExpiredRuns::AskLog(const Items& unclear) {
  std::map<RunId, std::string> marks;
  for (const auto& item : unclear) marks.emplace(item->run_id, *item->log_mark);
  const auto standings = environment_.audit->Recall(marks);
  for (const auto& item : unclear) {
    if (!standings) {
      Fail(*item, standings.error().message);
      continue;
    }
    const auto standing = standings->find(item->run_id);
    if (standing == standings->end()) continue;
    Succeed(*item);
    item->log_mark.reset();
    if (!standing->second.expired) continue;
    item->recorded = std::make_shared<Recorded>();
    item->recorded->Set(true);
  }
}

void ExpiredRuns::Record(Item& item) const {
  item.recorded = std::make_shared<Recorded>();
  item.record_mark = environment_.audit->Mark();
  AuditEvent event;
  event.type = AuditEvent::Type::kRunExpired;
  event.run_id = item.run_id;
  environment_.audit->AppendEventually(event, [recorded = item.recorded] { recorded->Set(true); });
}

// A queue that is full drops a record without a word. What the log knows is on disk or still
// queued; of what it does not know, another record is made.
void ExpiredRuns::AskAgain(const Items& silent) {
  std::map<RunId, std::string> marks;
  for (const auto& item : silent) marks.emplace(item->run_id, item->record_mark);
  const auto standings = environment_.audit->Recall(marks);
  for (const auto& item : silent) {
    item->asked_again = true;
    if (!standings) continue;  // it is away: what it was given may still come
    const auto standing = standings->find(item->run_id);
    // It may have come between the look at it and the question, and the file have gone since.
    const bool clear = standing != standings->end() && !standing->second.unsure;
    if (clear && !standing->second.expired && !item->recorded->Peek()) item->recorded = nullptr;
  }
}

bool ExpiredRuns::Forget(Item& item) {
  const Deadline deadline = Deadline::After(environment_.settings.teardown_timeout);
  const Removal removal = environment_.journal->ForgetKept(item.run_id, deadline);
  if (removal.confirmed_absent) {
    Succeed(item);
  } else {
    Fail(item, removal.error);
  }
  return removal.confirmed_absent;
}

void ExpiredRuns::Fail(Item& item, const std::string& why) {
  if (SetFailure(item, why).empty()) {
    Tell(LogLevel::kWarning, AuditEvent::Type::kTeardownOverdue, item,
         why + "; tried until it succeeds");
  }
  item.next_attempt = Deadline::After(Jittered(item.pause));
  item.pause = std::min(2 * item.pause, environment_.settings.reap_retry_max);
}

// Half to all of it, so that many do not come at a disk at once that has just begun to work again.
std::chrono::milliseconds ExpiredRuns::Jittered(std::chrono::milliseconds pause) {
  const std::int64_t most = std::max<std::int64_t>(pause.count(), 1);
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>((most + 1) / 2, most)(random_));
}

void ExpiredRuns::Succeed(Item& item) {
  if (!SetFailure(item, {}).empty()) {
    Tell(LogLevel::kInfo, AuditEvent::Type::kTeardownSettled, item, "done");
  }
  item.next_attempt = Deadline::After({});
  item.pause = environment_.settings.reap_retry_min;
}

// What it was before.
std::string ExpiredRuns::SetFailure(Item& item, std::string why) {
  const auto state = state_.Lock();
  return std::exchange(item.failure, std::move(why));
}

void ExpiredRuns::Tell(LogLevel level, AuditEvent::Type type, const Item& item,
                       const std::string& what) const {
  const std::string line = "remove kept run " + Quoted(item.run_id.value()) + ": " + what;
  environment_.audit->AppendEventually(TeardownEvent(type, item.run_id, line));
  if (environment_.log != nullptr) environment_.log->Write(level, line);
}

std::vector<KeptInfo> ExpiredRuns::List() {
  std::vector<KeptInfo> infos;
  auto state = state_.Lock();
  for (const auto& item : *state) {
    infos.push_back({.run_id = item->run_id, .expired = true, .failure = item->failure});
  }
  return infos;
}

std::size_t ExpiredRuns::Count() {
  return state_.Lock()->size();
}

std::uint32_t ExpiredRuns::CountOverdue() {
  auto state = state_.Lock();
  return static_cast<std::uint32_t>(std::count_if(
      state->begin(), state->end(), [](const auto& item) { return !item->failure.empty(); }));
}

}  // namespace tidewaiter::run
