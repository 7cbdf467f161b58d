#include "broker/run/reaper.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::run {

Reaper::Reaper(const Environment& environment, std::function<bool(const RunId&)> is_active)
    : environment_(environment),
      is_active_(std::move(is_active)),
      strays_(environment, [this](const RunId& run_id) { return IsKnown(run_id); }),
      random_(std::random_device{}()),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void Reaper::Adopt(Overdue overdue) {
  overdue.info.state = RunState::kOverdue;
  if (overdue.recorded && !overdue.entry.resources.empty()) Announce(environment_, overdue);
  auto item = std::make_shared<Item>(Item{.overdue = std::move(overdue),
                                          .next_attempt = Clock::now(),
                                          .pause = environment_.settings.reap_retry_min});
  const RunId run_id = item->overdue.entry.run_id;
  {
    auto state = state_.Lock();
    state->items.emplace(run_id, std::move(item));
  }
  changed_.notify_all();
}

void Reaper::RecoverLeftovers() {
  auto found = environment_.journal->Load();
  const RunSettings& settings = environment_.settings;
  if (!found) {
    Write(LogLevel::kError, "recover leftovers: " + found.error().message);
    state_.Lock()->next_load = Clock::now() + settings.reap_retry_max;
    changed_.notify_all();
    return;
  }
  for (const std::string& reason : found->set_aside) {
    Write(LogLevel::kWarning, "recover leftovers: set aside " + Quoted(reason, 400));
  }
  for (JournalEntry& entry : found->entries) {
    if (entry.broker_id != environment_.broker_id || IsKnown(entry.run_id)) continue;
    Write(LogLevel::kWarning, "recover leftovers: run " + Quoted(entry.run_id.value()) + " of " +
                                  Quoted(entry.caller.principal) + " was not finished");
    Overdue overdue;
    overdue.info.run_id = entry.run_id;
    overdue.info.principal = entry.caller.principal;
    overdue.info.image = entry.image;
    overdue.outcome.kind = Outcome::Kind::kLost;
    overdue.outcome.message = "the broker ended before the run did";
    if (entry.finished_recorded) {
      overdue.recorded = std::make_shared<Recorded>();
      overdue.recorded->Set(true);
      overdue.announced = true;  // by the process that wrote the entry so
    }
    overdue.entry = std::move(entry);
    Adopt(std::move(overdue));
  }
  auto state = state_.Lock();
  state->next_load = Clock::time_point::max();
  state->next_comparison = Clock::now() + settings.reap_interval;
  changed_.notify_all();
}

std::vector<RunInfo> Reaper::List() {
  std::vector<RunInfo> infos;
  auto state = state_.Lock();
  for (const auto& [run_id, item] : state->items) infos.push_back(item->overdue.info);
  return infos;
}

std::uint32_t Reaper::Count() {
  return static_cast<std::uint32_t>(state_.Lock()->items.size());
}

void Reaper::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (LoadDue()) RecoverLeftovers();
    Attempt(TakeDue(), stop);
    if (ComparisonDue()) strays_.Compare(stop);
    auto state = state_.Lock();
    // Whatever was added meanwhile is due now, and the next round takes it.
    const Clock::time_point wake = NextWork(*state);
    state.Wait(changed_, stop, Deadline::At(wake), [&] { return NextWork(*state) < wake; });
  }
}

void Reaper::Attempt(const Items& due, const std::stop_token& stop) {
  for (const auto& item : due) {
    if (stop.stop_requested()) return;
    RemoveResources(environment_, item->overdue);
  }
  AskLog(due);
  for (const auto& item : due) {
    if (!Settle(environment_, item->overdue)) continue;
    Write(LogLevel::kInfo, "settle run " + Quoted(item->overdue.entry.run_id.value()) + ": done");
    state_.Lock()->items.erase(item->overdue.entry.run_id);
  }
}

// One question for all of them, since its answer may cost a reading of the whole log.
void Reaper::AskLog(const Items& due) {
  std::map<RunId, std::string> unclear;
  for (const auto& item : due) {
    const JournalEntry& entry = item->overdue.entry;
    if (!item->overdue.recorded) unclear.emplace(entry.run_id, entry.log_mark);
  }
  if (unclear.empty()) return;
  const auto standings = environment_.audit->Recall(unclear);
  if (!standings) {
    Write(LogLevel::kError, "recall runs from the audit log: " + standings.error().message);
    return;
  }
  for (const auto& item : due) {
    const auto standing = standings->find(item->overdue.entry.run_id);
    if (item->overdue.recorded || standing == standings->end()) continue;
    RecordEnd(environment_, item->overdue, standing->second);
  }
}

Reaper::Items Reaper::TakeDue() {
  Items due;
  const Clock::time_point now = Clock::now();
  auto state = state_.Lock();
  for (const auto& [run_id, item] : state->items) {
    if (item->next_attempt > now) continue;
    due.push_back(item);
    item->next_attempt = now + Jittered(item->pause);
    item->pause = std::min(item->pause * 2, environment_.settings.reap_retry_max);
  }
  return due;
}

bool Reaper::LoadDue() {
  auto state = state_.Lock();
  if (state->next_load > Clock::now()) return false;
  state->next_load = Clock::time_point::max();
  return true;
}

bool Reaper::ComparisonDue() {
  auto state = state_.Lock();
  if (state->next_comparison > Clock::now()) return false;
  state->next_comparison = Clock::now() + environment_.settings.reap_interval;
  return true;
}

Reaper::Clock::time_point Reaper::NextWork(const State& state) const {
  Clock::time_point next = std::min(state.next_load, state.next_comparison);
  for (const auto& [run_id, item] : state.items) next = std::min(next, item->next_attempt);
  return next;
}

// Half to all of it, so that many overdue removals do not come at the engine at once.
std::chrono::milliseconds Reaper::Jittered(std::chrono::milliseconds pause) {
  const std::int64_t most = std::max<std::int64_t>(pause.count(), 1);
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>((most + 1) / 2, most)(random_));
}

bool Reaper::IsKnown(const RunId& run_id) {
  return is_active_(run_id) || state_.Lock()->items.contains(run_id);
}

void Reaper::Write(LogLevel level, const std::string& message) const {
  if (environment_.log != nullptr) environment_.log->Write(level, message);
}

}  // namespace tidewaiter::run
