#include "broker/run/reaper.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/printable.h"
#include "broker/run/run_events.h"
#include "broker/run/side_by_side.h"

namespace tidewaiter::run {

Reaper::Reaper(const Environment& environment, Questions questions)
    : environment_(environment),
      is_active_(std::move(questions.is_active)),
      strays_(
          environment, [this](const RunId& run_id) { return Owns(run_id); },
          std::move(questions.any_begun)),
      random_(std::random_device{}()),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void Reaper::Adopt(Overdue overdue) {
  if (overdue.recorded && !overdue.entry.resources.empty()) Announce(environment_, overdue);
  std::vector<Overdue> all;
  all.push_back(std::move(overdue));
  Adopt(std::move(all));
}

// All at once, so that the first round begins with what can be settled at once.
void Reaper::Adopt(std::vector<Overdue> all) {
  {
    auto state = state_.Lock();
    for (Overdue& overdue : all) {
      overdue.info.state = RunState::kOverdue;
      auto item = std::make_shared<Item>(Item{.overdue = std::move(overdue),
                                              .next_attempt = Clock::now(),
                                              .pause = environment_.settings.reap_retry_min});
      const RunId run_id = item->overdue.entry.run_id;
      state->items.emplace(run_id, std::move(item));
    }
  }
  changed_.notify_all();
}

void Reaper::RecoverLeftovers(RunJournal::Found found) {
  std::vector<Overdue> leftovers;
  for (const auto& set_aside : found.set_aside) TakeSetAside(set_aside, leftovers);
  for (auto& [entry, result] : found.runs) {
    if (entry.broker_id != environment_.broker_id || IsKnown(entry.run_id)) continue;
    Write(LogLevel::kWarning, "recover leftovers: run " + Quoted(entry.run_id.value()) + " of " +
                                  Quoted(entry.caller.principal) + " was not finished");
    Overdue overdue;
    overdue.info.run_id = entry.run_id;
    overdue.info.principal = entry.caller.principal;
    overdue.info.image = entry.image;
    overdue.outcome.kind = Outcome::Kind::kLost;
    overdue.outcome.message = "the broker ended before the run did";
    if (result) overdue.outcome = result->outcome;
    overdue.kept = std::move(result);
    if (entry.finished_recorded) {
      overdue.recorded = std::make_shared<Recorded>();
      overdue.recorded->Set(true);
      overdue.announced = true;  // by the process that wrote the entry so
    }
    overdue.entry = std::move(entry);
    leftovers.push_back(std::move(overdue));
  }
  Adopt(std::move(leftovers));
  auto state = state_.Lock();
  // At once: the directories have been read, so that what they do not name is a stray.
  state->next_comparison = Clock::now();
  changed_.notify_all();
}

// Whatever it named on the engine is a stray now. The log says whether it owes the run an end.
void Reaper::TakeSetAside(const RunJournal::Found::SetAside& found,
                          std::vector<Overdue>& leftovers) {
  Write(LogLevel::kError, "recover leftovers: set aside " + Quoted(found.what, 400));
  environment_.audit->AppendEventually(SetAsideEvent(found));
  if (!found.moved || found.run_id.value().empty() || IsKnown(found.run_id)) return;
  Overdue overdue;
  overdue.set_aside = true;
  overdue.entry.run_id = found.run_id;
  overdue.info.run_id = found.run_id;
  overdue.outcome.kind = Outcome::Kind::kLost;
  overdue.outcome.message = "its run directory could not be read";
  overdue.receipt.removals.push_back(Removal{.kind = "run-directory",
                                             .id = found.run_id.value(),
                                             .confirmed_absent = false,
                                             .error = "set aside; what it named is not known"});
  leftovers.push_back(std::move(overdue));
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

std::size_t Reaper::CountOf(const std::string& principal) {
  auto state = state_.Lock();
  return static_cast<std::size_t>(std::count_if(
      state->items.begin(), state->items.end(),
      [&](const auto& item) { return item.second->overdue.info.principal == principal; }));
}

void Reaper::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Attempt(TakeDue(), stop);
    if (ComparisonDue()) strays_.Compare(stop);
    auto state = state_.Lock();
    // Whatever was added meanwhile is due now, and the next round takes it.
    const Clock::time_point wake = NextWork(*state);
    state.Wait(changed_, stop, Deadline::At(wake), [&] { return NextWork(*state) < wake; });
  }
}

// What the attempts of one round have found out so far.
struct Reaper::Round {
  struct Findings {
    std::set<std::string> silent;  // backends that do not answer now
    Items tried;
    Items unclear;
  };
  const std::stop_token& stop;
  Guarded<Findings> findings{};
};

void Reaper::Attempt(const Items& due, const std::stop_token& stop) {
  Items without_engine;
  Items first;  // of each backend: the others need not find out that it does not answer
  Items others;
  std::set<std::string> asked;
  for (const auto& item : due) {
    const JournalEntry& entry = item->overdue.entry;
    Items& part = entry.resources.empty()              ? without_engine
                  : asked.insert(entry.backend).second ? first
                                                       : others;
    part.push_back(item);
  }
  Round round{.stop = stop};
  for (const Items* part : {&without_engine, &first, &others}) {
    SideBySide(part->size(), [&](std::size_t i) { Try((*part)[i], round); });
  }
  if (stop.stop_requested()) return;
  const Round::Findings findings = std::move(*round.findings.Lock());
  // After what was passed over, so that this comes before it in the next round.
  for (const auto& item : findings.tried) BackOff(*item);
  AskLog(findings.unclear);
}

void Reaper::Try(const std::shared_ptr<Item>& item, Round& round) {
  if (round.stop.stop_requested()) return;
  Overdue& overdue = item->overdue;
  const std::string& backend = overdue.entry.backend;
  const bool passed_over =
      !overdue.entry.resources.empty() && round.findings.Lock()->silent.contains(backend);
  if (passed_over) {
    PutOff(overdue, "put off: backend '" + backend + "' does not answer");
    PassOver(*item);
  } else {
    const bool answered = RemoveResources(environment_, overdue);
    auto findings = round.findings.Lock();
    if (!answered) findings->silent.insert(backend);
    findings->tried.push_back(item);
  }
  if (overdue.entry.detachment && environment_.on_attempted) {
    environment_.on_attempted(overdue.entry.run_id, overdue.outcome, overdue.receipt);
  }
  if (overdue.recorded) {
    Finish(*item);
  } else {
    round.findings.Lock()->unclear.push_back(item);
  }
}

// Done with it where that is possible, else it comes again when it is due.
void Reaper::Finish(Item& item) {
  const RunId& run_id = item.overdue.entry.run_id;
  if (!Settle(environment_, item.overdue)) return;
  Write(LogLevel::kInfo, "settle run " + Quoted(run_id.value()) + ": done");
  state_.Lock()->items.erase(run_id);
}

// For as long as the shortest pause of those that were tried.
void Reaper::PassOver(Item& item) {
  auto state = state_.Lock();
  item.next_attempt = Clock::now() + environment_.settings.reap_retry_min / 2;
}

void Reaper::BackOff(Item& item) {
  auto state = state_.Lock();
  item.next_attempt = Clock::now() + Jittered(item.pause);
  item.pause = std::min(item.pause * 2, environment_.settings.reap_retry_max);
}

// One question for all of them, since its answer may cost a reading of the whole log.
void Reaper::AskLog(const Items& unclear) {
  if (unclear.empty()) return;
  std::map<RunId, std::string> marks;
  for (const auto& item : unclear) {
    marks.emplace(item->overdue.entry.run_id, item->overdue.entry.log_mark);
  }
  const auto standings = environment_.audit->Recall(marks);
  if (!standings) {
    Write(LogLevel::kError, "recall runs from the audit log: " + standings.error().message);
    return;
  }
  for (const auto& item : unclear) {
    const auto standing = standings->find(item->overdue.entry.run_id);
    if (standing == standings->end()) continue;
    if (!RecordEnd(environment_, item->overdue, standing->second)) continue;
    Finish(*item);
  }
}

// What needs no engine first, then what has waited longest.
Reaper::Items Reaper::TakeDue() {
  Items due;
  auto state = state_.Lock();
  // Not before: of what is adopted at once meanwhile, some would be left to the next round, which
  // one that hangs holds up.
  const Clock::time_point now = Clock::now();
  for (const auto& [run_id, item] : state->items) {
    if (item->next_attempt <= now) due.push_back(item);
  }
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) {
    return std::pair(!a->overdue.entry.resources.empty(), a->next_attempt) <
           std::pair(!b->overdue.entry.resources.empty(), b->next_attempt);
  });
  return due;
}

bool Reaper::ComparisonDue() {
  auto state = state_.Lock();
  if (state->next_comparison > Clock::now()) return false;
  state->next_comparison = Clock::now() + environment_.settings.reap_interval;
  return true;
}

Reaper::Clock::time_point Reaper::NextWork(const State& state) const {
  Clock::time_point next = state.next_comparison;
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

// Of one that was set aside nobody knows what it has on the engine.
bool Reaper::Owns(const RunId& run_id) {
  if (is_active_(run_id)) return true;
  auto state = state_.Lock();
  const auto found = state->items.find(run_id);
  return found != state->items.end() && !found->second->overdue.set_aside;
}

void Reaper::Write(LogLevel level, const std::string& message) const {
  if (environment_.log != nullptr) environment_.log->Write(level, message);
}

}  // namespace tidewaiter::run
