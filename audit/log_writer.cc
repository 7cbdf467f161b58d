// The writer thread's half of Log: everything here runs on it.
#include <algorithm>
#include <string>
#include <utility>

#include "audit/log.h"

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kMaxBatchBytes = std::size_t{512} << 10U;

// A record about the log itself.
Record OwnRecord(RecordType type, std::string cause) {
  Record record;
  record.type = type;
  record.log.emplace().cause = std::move(cause);
  return record;
}

}  // namespace

void Log::Write() {
  Batch batch;
  TellWhetherItWorks();
  while (GatherBatch(batch)) {
    if (batch.empty()) {
      Tidy();
      continue;
    }
    stall_watch_.Begin();
    const Result<void> reserved = KeepReserve(batch);
    const Result<void> committed = batch.empty() ? Ok() : Commit(batch);
    stall_watch_.End();
    {
      auto state = state_.Lock();
      state->torn = store_->torn();
      state->on_reserve = committed && !reserved;
      if (committed) {
        OnDurable(*state);
      } else {
        OnFailed(*state, committed.error());
      }
    }
    settled_.notify_all();
    TellWhetherItWorks();
    for (const EntryPtr& entry : batch) {
      if (committed && entry->on_durable) entry->on_durable();
      if (committed && entry->key_change) ChangeKey(*entry->key_change);
    }
    // Behind what callers wait for.
    if (committed && store_->sign_due().Passed()) Tidy();
  }
  Tidy();
}

// Where the disk that was allocated beforehand is less than it must be, it is for what nobody waits
// for: leaves only that in `batch`, and refuses the rest before any of it is written.
Result<void> Log::KeepReserve(Batch& batch) {
  std::uint64_t bytes = 0;
  for (const EntryPtr& entry : batch) bytes += entry->record.size();
  Result<void> kept = store_->KeepReserve(bytes);
  if (kept) return kept;
  {
    auto state = state_.Lock();
    NoteFailure(*state, kept.error());
    // Who closes will not come to tell of it once it works again.
    const bool tells = state->stopping && state->telling.Any();
    if (!tells) state->telling = {};
    std::erase_if(batch, [&](const EntryPtr& entry) {
      const bool refused = entry->waited_for && !entry->makes_room;
      if (refused) Refuse(*state, entry, ErrorCode::kUnavailable);
      return refused || (entry->is_gap && !tells);
    });
    const bool untold =
        state->untold.refused > state->telling.refused || state->untold.lost > state->telling.lost;
    state->last_try_failed = state->stopping && state->queue.empty() && !untold;
    state->in_flight = batch;
  }
  TellWhetherItWorks();
  return kept;
}

// Checkpoints, and segments that are full. No record is refused for want of one, but those that
// come meanwhile wait for some syncs.
void Log::Tidy() {
  stall_watch_.Begin();
  Result<void> done = store_->Sign();
  if (done) done = store_->RotateIfDue();
  stall_watch_.End();
  if (done && store_->rotation_failure()) done = *store_->rotation_failure();
  TellOfTree(done);
}

// After the record that says so. What fails here leaves both keys signing.
void Log::ChangeKey(KeyChange& change) {
  stall_watch_.Begin();
  Result<void> done = store_->HandOver(change.successor);
  const Result<void> handed_over = done;
  if (done) done = change.promote();
  if (done) store_->FinishHandOver();
  stall_watch_.End();
  TellOfTree(handed_over);
  state_.Lock()->public_key = store_->public_key();
  change.done.Set(std::move(done));
}

void Log::TellOfTree(const Result<void>& done) {
  bool fresh = false;
  bool changed = false;
  {
    auto state = state_.Lock();
    fresh = state->checkpoint.note != store_->checkpoint();
    state->checkpoint = {.records = store_->signed_records(), .note = store_->checkpoint()};
    state->end = store_->end();
    changed = state->checkpoint_failure.has_value() == done.has_value();
    state->checkpoint_failure.reset();
    if (!done) state->checkpoint_failure = done.error();
  }
  TellWhetherItWorks();
  if (changed && settings_.on_tree) {
    settings_.on_tree(done ? std::nullopt : std::optional<Error>(done.error()));
  }
  if (!fresh) return;
  settled_.notify_all();
  if (settings_.on_checkpoint) settings_.on_checkpoint(store_->checkpoint());
}

// Waits for work and takes the front of the queue; takes nothing where a checkpoint is due. False:
// the log is closing and there is nothing left to try.
bool Log::GatherBatch(Batch& batch) {
  batch.clear();
  auto state = state_.Lock();
  const auto ready = [&state] {
    if (state->stopping) return true;
    if (!state->failure) return !state->queue.empty() || state->untold.Any();
    // A caller that waits is worth an attempt at once, and so is what goes into the reserve; the
    // rest keeps to the backoff.
    if (state->on_reserve && !state->queue.empty()) return true;
    return state->waiting > 0 || state->retry.Passed();
  };
  while (!ready()) {
    if (store_->sign_due().Passed()) return true;
    const Deadline retry = state->failure ? state->retry : Deadline::Never();
    state.Wait(work_, {}, retry.Sooner(store_->sign_due()), ready);
  }
  const bool untold = state->failure || state->untold.Any();
  if (state->stopping && (state->last_try_failed || (state->queue.empty() && !untold))) {
    return false;
  }
  if (untold) AddGap(*state, batch);
  std::size_t bytes = batch.empty() ? 0 : batch.back()->record.size();
  // The first of them whatever its size: a batch that tells of a gap and nothing else could come to
  // nothing again and again.
  for (bool first = true; !state->queue.empty(); first = false) {
    const EntryPtr& next = state->queue.front();
    bytes += next->record.size();
    if (bytes > kMaxBatchBytes && !first) break;
    next->in_flight = true;
    batch.push_back(next);
    state->queue.pop_front();
  }
  state->in_flight = batch;
  return true;
}

void Log::AddGap(State& state, Batch& batch) const {
  state.telling = state.untold;
  Record gap = OwnRecord(RecordType::kAuditGap,
                         state.failure ? state.failure->message : "the disk was too slow");
  gap.log->lost_records = state.untold.lost;
  gap.log->refused_records = state.untold.refused;
  batch.push_back(MakeEntry(gap));
  batch.back()->is_gap = true;
  batch.back()->record.SetTime(Now());
}

Result<void> Log::Commit(const Batch& batch) {
  std::string lines;
  std::uint64_t index = store_->end().next_index;
  for (const EntryPtr& entry : batch) entry->record.AppendTo(lines, index++);
  return store_->Append(lines);
}

void Log::OnDurable(State& state) {
  if (!state.on_reserve) {
    state.failure.reset();
    state.backoff = {};
  }
  state.untold.lost -= std::exchange(state.telling.lost, 0);
  state.untold.refused -= std::exchange(state.telling.refused, 0);
  std::uint64_t index = state.end.next_index;
  state.end = store_->end();
  state.mark = store_->Mark();
  for (const EntryPtr& entry : std::exchange(state.in_flight, {})) {
    entry->in_flight = false;
    entry->done.Set(index++);
    if (entry->is_gap) continue;
    if (entry->waited_for) {
      --state.waiting;
    } else {
      --state.eventual;
      state.eventual_bytes -= entry->record.size();
    }
  }
}

// Everyone who waits is told at once, so that admissions stop; what nobody waits for goes back to
// the front of the queue, in order.
void Log::OnFailed(State& state, const Error& error) {
  NoteFailure(state, error);
  state.telling = {};
  state.last_try_failed = state.stopping;

  std::deque<EntryPtr> kept;
  const auto sort = [&](const EntryPtr& entry) {
    if (entry->is_gap) return;
    if (!entry->waited_for) {
      entry->in_flight = false;
      kept.push_back(entry);
      return;
    }
    const bool unsure = entry->in_flight && state.torn;
    Refuse(state, entry, unsure ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable);
  };
  for (const EntryPtr& entry : std::exchange(state.in_flight, {})) sort(entry);
  for (const EntryPtr& entry : state.queue) sort(entry);
  state.queue.swap(kept);
}

void Log::NoteFailure(State& state, const Error& error) const {
  state.failure = Error{
      .code = ErrorCode::kUnavailable, .message = error.message, .reason = "AUDIT_UNAVAILABLE"};
  state.backoff = state.backoff == state.backoff.zero()
                      ? settings_.first_retry
                      : std::min(2 * state.backoff, settings_.last_retry);
  state.retry = Deadline::After(state.backoff);
}

void Log::Refuse(State& state, const EntryPtr& entry, ErrorCode code) {
  --state.waiting;
  ++state.untold.refused;
  Error refusal = state.failure->Within("write audit record '" +
                                        std::string(ToString(entry->record.type())) + "'");
  refusal.code = code;
  entry->done.Set(std::move(refusal));
}

// Asked anew under the lock: whoever tells last tells how it is.
void Log::TellWhetherItWorks() {
  auto told = told_works_.Lock();
  const bool works = !Failure();
  if (std::exchange(*told, works) != works && settings_.on_change) settings_.on_change(works);
}

}  // namespace tidewaiter::audit
