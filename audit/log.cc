#include "audit/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "audit/public_keys.h"

namespace tidewaiter::audit {
namespace {

Error Unavailable(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message), "AUDIT_UNAVAILABLE");
}

Error Unavailable(const EncodedRecord& record, const std::string& cause) {
  return Unavailable("write audit record '" + std::string(ToString(record.type())) + "': " + cause);
}

Result<UniqueFd> OpenDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, "create audit directory '" + path + "'");
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoError(errno, "open audit directory '" + path + "'");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return ErrnoError(errno, "examine audit directory '" + path + "'");
  }
  const bool own = status.st_uid == ::geteuid() || status.st_uid == 0;
  if (!own || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kFailedPrecondition,
                "open audit directory '" + path + "': others can write in it", "AUDIT_UNAVAILABLE");
  }
  return fd;
}

// The kernel's random id of this boot; empty where /proc is not mounted.
std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// Two brokers on one folder would each write over the other's records.
Result<void> LockDirectory(int directory, const std::string& path) {
  if (::flock(directory, LOCK_EX | LOCK_NB) == 0) return Ok();
  if (errno != EWOULDBLOCK) return ErrnoError(errno, "lock audit directory '" + path + "'");
  return Fail(ErrorCode::kFailedPrecondition,
              "lock audit directory '" + path + "': another broker writes in it",
              "AUDIT_UNAVAILABLE");
}

}  // namespace

Log::Log(LogSettings settings, FileOperations& operations, UniqueFd directory, std::string boot_id)
    : settings_(std::move(settings)),
      operations_(operations),
      directory_(std::move(directory)),
      boot_id_(std::move(boot_id)),
      stall_watch_(settings_.stall, [this] { TellWhetherItWorks(); }) {}

Result<std::unique_ptr<Log>> Log::Open(LogSettings settings, FileOperations& operations) {
  TW_ASSIGN(UniqueFd directory, OpenDirectory(settings.directory));
  std::unique_ptr<Log> log(
      new Log(std::move(settings), operations, std::move(directory), ReadBootId()));
  TW_TRY(LockDirectory(log->directory_.get(), log->settings_.directory));
  TW_TRY(log->OpenStore());
  log->writer_ = std::jthread([writer = log.get()] { writer->Write(); });
  return log;
}

Result<void> Log::OpenStore() {
  // The store's alone: a key that was handed over from must not stay in memory.
  TW_ASSIGN(store_, LogStore::Open(directory_.get(), std::move(settings_.store), operations_));
  auto state = state_.Lock();
  state->end = store_->end();
  state->mark = store_->Mark();
  state->public_key = store_->public_key();
  can_reserve_ = store_->can_reserve();
  if (const Result<void> kept = store_->KeepReserve(); !kept) {
    NoteFailure(*state, kept.error());
    state->on_reserve = true;
  }
  if (store_->cut_bytes() == 0) return Ok();
  Record truncated;
  truncated.type = RecordType::kAuditTruncated;
  truncated.log.emplace().cause = "it did not end in a whole record";
  truncated.log->cut_bytes = static_cast<std::int64_t>(store_->cut_bytes());
  EntryPtr entry = MakeEntry(truncated);
  entry->record.SetTime(Now());
  PushEventual(*state, std::move(entry));
  return Ok();
}

Log::~Log() {
  state_.Lock()->stopping = true;
  work_.notify_all();
}

Log::EntryPtr Log::MakeEntry(const Record& record) const {
  return std::make_shared<Entry>(EncodedRecord(record, boot_id_, settings_.broker_id));
}

Result<std::uint64_t> Log::Append(const Record& record, Deadline deadline) {
  return AppendEntry(MakeEntry(record), deadline);
}

Result<std::uint64_t> Log::AppendToMakeRoom(const Record& record, Deadline deadline) {
  const EntryPtr entry = MakeEntry(record);
  entry->makes_room = true;
  return AppendEntry(entry, deadline);
}

Result<std::uint64_t> Log::AppendEntry(const EntryPtr& entry, Deadline deadline) {
  entry->waited_for = true;
  {
    auto state = state_.Lock();
    if (state->waiting >= settings_.max_waiting) {
      ++state->untold.refused;
      return Unavailable(entry->record, "too many records wait for the disk");
    }
    entry->record.SetTime(Now());
    state->queue.push_back(entry);
    ++state->waiting;
  }
  work_.notify_all();
  if (auto result = entry->done.Wait({}, deadline)) return *result;
  auto state = state_.Lock();
  // It may have been settled between the deadline and the lock.
  if (auto result = entry->done.Peek()) return *result;
  return GiveUp(*state, entry);
}

Result<std::uint64_t> Log::HandOver(const Record& record,
                                    std::shared_ptr<const SigningKey> successor,
                                    std::function<Result<void>()> promote, Deadline deadline) {
  const auto keys = LoadPublicKeys(directory_.get());
  if (!keys) return keys.error().Within("hand the audit log over");
  if (keys->size() >= kMaxPublicKeys) {
    return Fail(ErrorCode::kFailedPrecondition,
                "hand the audit log over: it has had " + std::to_string(kMaxPublicKeys) +
                    " keys, and nobody could verify it with more; begin a new log");
  }
  const EntryPtr entry = MakeEntry(record);
  const auto change = std::make_shared<KeyChange>();
  change->successor = std::move(successor);
  change->promote = std::move(promote);
  entry->key_change = change;
  TW_ASSIGN(const std::uint64_t index, AppendEntry(entry, deadline));
  const auto done = change->done.Wait({}, deadline);
  if (!done) {
    return Fail(ErrorCode::kDeadlineExceeded,
                "hand the audit log over: the disk did not answer in time, and may do so yet",
                "AUDIT_UNAVAILABLE");
  }
  if (!*done) return done->error();
  return index;
}

VerifierKey Log::PublicKey() {
  return *state_.Lock()->public_key;
}

Error Log::GiveUp(State& state, const EntryPtr& entry) {
  if (!entry->in_flight) {
    std::erase(state.queue, entry);
    --state.waiting;
    ++state.untold.refused;
  }
  Error error = Unavailable(entry->record, "the disk did not answer in time");
  if (entry->in_flight) error.code = ErrorCode::kDeadlineExceeded;
  return error;
}

void Log::AppendEventually(const Record& record, std::function<void()> on_durable) {
  EntryPtr entry = MakeEntry(record);
  entry->on_durable = std::move(on_durable);
  {
    auto state = state_.Lock();
    const std::size_t share = entry->record.type() == RecordType::kRunFinished ? 2 : 1;
    const bool fits =
        state->eventual < share * settings_.max_eventual &&
        state->eventual_bytes + entry->record.size() <= share * settings_.max_eventual_bytes;
    if (!fits) {
      ++state->untold.lost;
      return;
    }
    entry->record.SetTime(Now());
    PushEventual(*state, std::move(entry));
  }
  work_.notify_all();
}

void Log::PushEventual(State& state, EntryPtr entry) {
  ++state.eventual;
  state.eventual_bytes += entry->record.size();
  state.queue.push_back(std::move(entry));
}

Result<void> Log::Drain(Deadline deadline) {
  auto state = state_.Lock();
  const auto idle = [&state] {
    const bool told = !state->untold.Any() || state->on_reserve;
    return state->queue.empty() && state->in_flight.empty() && told;
  };
  if (state.Wait(settled_, {}, deadline, idle)) return Ok();
  std::string message = "drain audit log: " + std::to_string(state->eventual + state->waiting) +
                        " records are not on disk";
  if (state->failure) message += ": " + state->failure->message;
  return Fail(ErrorCode::kDeadlineExceeded, std::move(message), "AUDIT_UNAVAILABLE");
}

std::optional<Error> Log::Failure() {
  if (auto failure = state_.Lock()->failure) return failure;
  const auto stalled = stall_watch_.StalledFor();
  if (!stalled) return std::nullopt;
  return Unavailable("write audit log: the disk has not answered for " +
                     std::to_string(std::chrono::floor<std::chrono::seconds>(*stalled).count()) +
                     " s");
}

std::optional<Error> Log::CheckpointFailure() {
  return state_.Lock()->checkpoint_failure;
}

Result<Log::View> Log::Look() {
  View view{.directory = UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)), .end = End()};
  if (!view.directory) return ErrnoError(errno, "open audit directory for reading");
  return view;
}

LogEnd Log::End() {
  return state_.Lock()->end;
}

std::uint64_t Log::SignedRecords() {
  return state_.Lock()->checkpoint.records;
}

std::optional<Log::SignedState> Log::AwaitCheckpoint(std::uint64_t records,
                                                     const std::stop_token& stop,
                                                     Deadline deadline) {
  auto state = state_.Lock();
  const auto covers = [&] {
    return !state->checkpoint.note.empty() && state->checkpoint.records >= records;
  };
  if (!state.Wait(settled_, stop, deadline, covers)) return std::nullopt;
  return state->checkpoint;
}

std::string Log::Mark() {
  return state_.Lock()->mark;
}

Result<std::map<std::string, Log::Standing>> Log::Recall(
    const std::map<std::string, std::string>& runs) {
  std::map<std::string, Standing> standings;
  for (const auto& [run, mark] : runs) standings[run];
  const auto note = [&standings](std::string_view run, std::string_view type) {
    const auto found = standings.find(std::string(run));
    if (found != standings.end()) found->second.Note(type);
  };
  {
    // Before the file is looked at: what leaves the queue meanwhile is found there.
    auto state = state_.Lock();
    if (state->torn) return Unavailable("recall runs: a failed write has not been taken back yet");
    for (const EntryPtr& entry : state->in_flight) {
      if (entry->waited_for) standings.erase(entry->record.run_id());
    }
    for (const Batch& entries :
         {state->in_flight, Batch(state->queue.begin(), state->queue.end())}) {
      for (const EntryPtr& entry : entries) {
        if (!entry->waited_for) note(entry->record.run_id(), ToString(entry->record.type()));
      }
    }
  }
  TW_ASSIGN(View view, Look());
  TW_TRY(RecallRuns(std::move(view.directory), view.end, runs, standings));
  return standings;
}

bool Log::WaitBeyond(std::uint64_t next_index, const std::stop_token& stop, Deadline deadline) {
  auto state = state_.Lock();
  return state.Wait(settled_, stop, deadline, [&] { return state->end.next_index > next_index; });
}

}  // namespace tidewaiter::audit
