#include "broker/run/detached_runs.h"

#include <algorithm>
#include <vector>

#include "base/printable.h"
#include "broker/run/run_events.h"

namespace tidewaiter::run {
namespace {

using SystemClock = std::chrono::system_clock;
using std::chrono::milliseconds;

// Between two looks for what has expired.
constexpr std::chrono::milliseconds kLook = std::chrono::seconds(1);
// While a record is on its way to the disk.
constexpr std::chrono::milliseconds kLookForRecord(50);

Error NoCapacity(const std::string& cause) {
  return Fail(ErrorCode::kResourceExhausted, "launch the run: " + cause, "NO_CAPACITY");
}

}  // namespace

DetachedRuns::DetachedRuns(const Environment& environment)
    : environment_(environment),
      expired_(environment),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

Result<DetachedRuns::Begun> DetachedRuns::Begin(const RunId& run_id, const Caller& caller,
                                                const std::string& idempotency_key,
                                                std::shared_ptr<RunObserver> starter) {
  auto state = state_.Lock();
  if (!idempotency_key.empty()) {
    const auto known = state->keys.find({caller.principal, idempotency_key});
    // One that came to nothing is about to be forgotten.
    if (known != state->keys.end() && !known->second->CameToNothing()) {
      return Begun{.run = known->second, .is_new = false};
    }
    if (known != state->keys.end()) state->keys.erase(known);
  }
  const auto count = state->counts.find(caller.principal);
  if (count != state->counts.end() &&
      count->second >= environment_.settings.max_detached_per_principal) {
    return NoCapacity(Quoted(caller.principal) +
                      " has as many detached runs, kept ones included, as one principal may");
  }
  if (state->runs.size() + expired_.Count() >= kMaxRuns) {
    return NoCapacity("too many detached runs, kept ones included");
  }
  auto run = std::make_shared<DetachedRun>(caller, idempotency_key, *environment_.files,
                                           std::move(starter));
  Add(*state, run_id, run);
  return Begun{.run = std::move(run), .is_new = true};
}

void DetachedRuns::Add(State& state, const RunId& run_id, std::shared_ptr<DetachedRun> run) {
  ++state.counts[run->owner().principal];
  if (!run->idempotency_key().empty()) {
    state.keys.insert_or_assign(Key(run->owner().principal, run->idempotency_key()), run);
  }
  state.runs.emplace(run_id, std::move(run));
}

// The wall's clock is asked once, when it is kept or loaded: what is set later changes nothing.
Deadline::Clock::time_point DetachedRuns::ExpiresAt(const KeptRun& kept) const {
  const milliseconds retention = environment_.settings.retention;
  const auto age = std::chrono::duration_cast<milliseconds>(SystemClock::now() - kept.ended_at);
  return Deadline::Clock::now() + retention - std::clamp(age, milliseconds::zero(), retention);
}

void DetachedRuns::AddKept(State& state, const KeptRun& kept) {
  state.expiries.emplace(ExpiresAt(kept), kept.entry.run_id);
  Add(state, kept.entry.run_id, std::make_shared<DetachedRun>(kept, *environment_.files));
}

void DetachedRuns::FreeKey(State& state, const DetachedRun& run) {
  const auto key = state.keys.find({run.owner().principal, run.idempotency_key()});
  if (key != state.keys.end() && key->second.get() == &run) state.keys.erase(key);
}

void DetachedRuns::Drop(State& state, const RunId& run_id) {
  const auto found = state.runs.find(run_id);
  if (found == state.runs.end()) return;
  const DetachedRun& run = *found->second;
  const auto count = state.counts.find(run.owner().principal);
  if (--count->second == 0) state.counts.erase(count);
  FreeKey(state, run);
  state.runs.erase(found);
}

void DetachedRuns::Forget(const RunId& run_id) {
  Drop(*state_.Lock(), run_id);
}

Result<void> DetachedRuns::RecoverKept() {
  TW_ASSIGN(RunJournal::FoundKept found, environment_.journal->LoadKept());
  for (const auto& set_aside : found.set_aside) {
    if (environment_.log != nullptr) {
      environment_.log->Write(LogLevel::kError,
                              "recover kept runs: set aside " + Quoted(set_aside.what, 400));
    }
    environment_.audit->AppendEventually(SetAsideEvent(set_aside));
  }
  auto state = state_.Lock();
  // Of two under one key the later one has it: it was begun when the earlier one's retention was
  // over. That has been prolonged since, or the earlier one would not be offered any more.
  std::sort(found.runs.begin(), found.runs.end(),
            [](const KeptRun& a, const KeptRun& b) { return a.ended_at < b.ended_at; });
  for (const KeptRun& kept : found.runs) {
    environment_.files->Kept(kept.entry.run_id, kept.entry.caller.principal,
                             kept.log_bytes + kept.archive_bytes);
    // Not even for the moment until the thread looks: nobody is to find it.
    const Deadline expires_at = Deadline::At(ExpiresAt(kept));
    if (expires_at.Passed()) {
      // As one that is marked: a former release recorded it before anything went.
      expired_.Take({.entry = kept.entry, .bytes = kept.log_bytes + kept.archive_bytes});
    } else {
      AddKept(*state, kept);
    }
  }
  for (const RunJournal::FoundKept::Expired& expired : found.expired) {
    // They are still there, whoever has seen the last of them.
    environment_.files->Kept(expired.entry.run_id, expired.entry.caller.principal, expired.bytes);
    expired_.Take(expired);
  }
  return Ok();
}

void DetachedRuns::RecoverUnfinished(const std::vector<RunJournal::Found::Unfinished>& unfinished) {
  auto state = state_.Lock();
  for (const auto& [entry, result] : unfinished) {
    if (!entry.detachment || state->runs.contains(entry.run_id)) continue;
    Add(*state, entry.run_id, std::make_shared<DetachedRun>(entry, *environment_.files));
  }
}

void DetachedRuns::Kept(const KeptRun& kept) {
  std::shared_ptr<DetachedRun> run;
  {
    auto state = state_.Lock();
    const auto found = state->runs.find(kept.entry.run_id);
    if (found == state->runs.end()) return AddKept(*state, kept);
    state->expiries.emplace(ExpiresAt(kept), kept.entry.run_id);
    run = found->second;
    if (kept.entry.detachment && kept.entry.detachment->idempotency_key.empty()) {
      FreeKey(*state, *run);
    }
  }
  run->Settled(kept);
}

std::shared_ptr<DetachedRun> DetachedRuns::Get(const RunId& run_id) {
  auto state = state_.Lock();
  const auto found = state->runs.find(run_id);
  return found == state->runs.end() ? nullptr : found->second;
}

Result<std::shared_ptr<DetachedRun>> DetachedRuns::Find(const RunId& run_id, const Viewer& viewer) {
  const std::shared_ptr<DetachedRun> run = Get(run_id);
  const bool sees = run && (viewer.operate || run->owner().principal == viewer.principal);
  if (sees && !run->Get().run_id.empty()) return run;
  return Fail(ErrorCode::kNotFound,
              "find run " + Quoted(run_id.value()) +
                  ": no detached run of this id, or its retention is over",
              "RUN_NOT_FOUND");
}

std::vector<KeptInfo> DetachedRuns::ListKept() {
  std::vector<KeptInfo> infos;
  auto state = state_.Lock();
  // Under the lock: what goes over from the one to the other is in one of them.
  infos = expired_.List();
  for (const auto& [run_id, run] : state->runs) {
    infos.push_back({.run_id = run_id, .expired = false, .failure = {}});
  }
  return infos;
}

void DetachedRuns::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    TakeExpired();
    expired_.Attempt(stop);
    const Deadline next = Deadline::After(expired_.AwaitsRecord() ? kLookForRecord : kLook);
    state_.Lock().Wait(changed_, stop, next, [] { return false; });
  }
}

void DetachedRuns::TakeExpired() {
  const Deadline::Clock::time_point now = Deadline::Clock::now();
  auto state = state_.Lock();
  while (!state->expiries.empty() && state->expiries.begin()->first <= now) {
    const RunId run_id = state->expiries.begin()->second;
    state->expiries.erase(state->expiries.begin());
    const auto run = state->runs.find(run_id);
    if (run != state->runs.end()) run->second->Expire();
    // Its key is free from now on, although its directory may be there for long: to its principal
    // the run is gone when its retention is over, and a disk that refuses must not keep anybody
    // from beginning anew. It never comes back under that key: the directory is marked first of
    // all, and where even that fails, a later process finds its retention over.
    Drop(*state, run_id);
    expired_.Take(run_id);
  }
}

}  // namespace tidewaiter::run
