// The append-only log. One writer thread gathers what waits and makes it durable with one write and
// one fdatasync (group commit); everyone else only queues. Format and guarantees: docs/AUDIT.md.
//
// Thread: any, for every public function. It must never report a record as durable that is not, nor
// block a caller beyond its deadline, whatever the disk does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "audit/file_operations.h"
#include "audit/log_store.h"
#include "audit/recall.h"
#include "audit/record.h"
#include "audit/stall_watch.h"
#include "base/completion.h"
#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

struct LogSettings {
  std::string directory = {};  // made with mode 0700 where it is missing; its parent must exist
  std::string broker_id = {};
  std::size_t max_waiting = 8192;     // records whose callers wait; more are refused
  std::size_t max_eventual = 65'536;  // records that nobody waits for; more are counted as lost
  std::size_t max_eventual_bytes = std::size_t{128} << 20U;  // likewise
  // Both are for a run.finished twice that: while the log cannot be written no run begins, so that
  // there is room for the end of each that there is, whatever else was to be told meanwhile.
  std::chrono::milliseconds first_retry{100};  // after a failure; doubles up to last_retry
  std::chrono::milliseconds last_retry{5000};
  // What the writer asks of the disk takes longer: that, too, is a Failure().
  std::chrono::milliseconds stall{5000};
  StoreSettings store = {};
  // Told when Failure() appears (false) and when it has gone (true); one call at a time, on a
  // thread of the log's. Must not block.
  std::function<void(bool works)> on_change = {};
  // Told on the writer's thread when CheckpointFailure() appears and when it has gone (nothing).
  // Must not block.
  std::function<void(const std::optional<Error>& failure)> on_tree = {};
  // Given each new checkpoint, a signed note, on the writer's thread. Must not block.
  std::function<void(const std::string& note)> on_checkpoint = {};
};

class Log {
 public:
  // Locks the folder (flock(2)), opens the log in it, cuts off and notes what a crash left, starts
  // the writer. `operations` must outlive the log. Errors: FAILED_PRECONDITION (AUDIT_UNAVAILABLE)
  // where others can write in the folder or another process holds the lock; LogStore::Open's.
  static Result<std::unique_ptr<Log>> Open(LogSettings settings,
                                           FileOperations& operations = FileOperations::System());
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  // Writes what is queued, unless the disk refuses. Waits for a call to the disk that is under way.
  ~Log();

  // Returns the record's index once it is durable. Errors, both with reason AUDIT_UNAVAILABLE:
  // UNAVAILABLE, at once where the disk refuses, at the deadline where the record still waited: it
  // is not in the log and never will be. DEADLINE_EXCEEDED where the disk was at it, or broke so
  // that it cannot be taken back: Recall tells later.
  Result<std::uint64_t> Append(const Record& record, Deadline deadline);

  // As Append, and on a full disk into the reserve: for what has to be told before room is made.
  Result<std::uint64_t> AppendToMakeRoom(const Record& record, Deadline deadline);

  // Hands the log over to another key: appends `record`, which says so, as Append does; then has
  // both keys sign the next segment's beginning; then calls `promote` on the writer's thread, which
  // must make the successor the key that a start finds, on disk when it returns. Where that is done
  // the successor alone signs. Errors: Append's; those of the disk and of `promote`, after which
  // both keys sign until this was called again with the same successor, or a start has it as
  // StoreSettings::successor; FAILED_PRECONDITION where
  // the log has had kMaxPublicKeys, or what it has had cannot be read; DEADLINE_EXCEEDED where it
  // is not done by then, and may come to be.
  Result<std::uint64_t> HandOver(const Record& record, std::shared_ptr<const SigningKey> successor,
                                 std::function<Result<void>()> promote, Deadline deadline);
  // The key that signs; of a hand-over that is not done, the former.
  [[nodiscard]] VerifierKey PublicKey();

  // Queues the record and returns; it is written in order as soon as the disk takes it. Then
  // `on_durable`, where not empty, is called once on the writer's thread; it must not block. Never
  // called for a record that was lost because too many waited.
  void AppendEventually(const Record& record, std::function<void()> on_durable = {});

  // Names the last record there is, so that Recall can tell whether it still is.
  [[nodiscard]] std::string Mark();

  // Which of `runs` (each with the Mark() from before its admission) have their run.admitted, their
  // run.finished and their run.expired on disk or surely queued. Reads what is behind the oldest
  // mark, once for all of them. A run of which a record is being written is missing in the answer:
  // ask again. UNAVAILABLE while a failed write has not been taken back.
  using Standing = RunStanding;
  Result<std::map<std::string, Standing>> Recall(const std::map<std::string, std::string>& runs);

  // Waits until everything queued before the call is durable. DEADLINE_EXCEEDED where it is not by
  // then.
  Result<void> Drain(Deadline deadline);

  // The failure that stops admissions now, if there is one: the disk refuses; or it has not
  // answered for LogSettings::stall; or the reserve is less than it must be, and only what it
  // is for is written.
  [[nodiscard]] std::optional<Error> Failure();

  // False where the file system cannot allocate a reserve beforehand: on a full disk, what nobody
  // waits for then waits in memory.
  [[nodiscard]] bool can_reserve() const noexcept { return can_reserve_; }

  // Why the last attempt at a checkpoint or a new segment failed, where it did. Records are written
  // all the same.
  [[nodiscard]] std::optional<Error> CheckpointFailure();

  // For readers: how far the log goes, and its folder. Errors: errno's of dup(2).
  struct View {
    UniqueFd directory;
    LogEnd end;
  };
  Result<View> Look();
  LogEnd End();
  // How many records the newest checkpoint covers.
  std::uint64_t SignedRecords();
  // The newest checkpoint, once it covers so many records. Nothing where the token or the deadline
  // came first. A checkpoint comes within StoreSettings::checkpoint_interval of each record.
  struct SignedState {
    std::uint64_t records = 0;
    std::string note;
  };
  std::optional<SignedState> AwaitCheckpoint(std::uint64_t records, const std::stop_token& stop,
                                             Deadline deadline);
  // Waits until a record of that index or a later one is durable. False where the token or the
  // deadline came first.
  bool WaitBeyond(std::uint64_t next_index, const std::stop_token& stop, Deadline deadline);

 private:
  struct KeyChange {
    std::shared_ptr<const SigningKey> successor;
    std::function<Result<void>()> promote;
    Completion<Result<void>> done;
  };
  struct Entry {
    explicit Entry(EncodedRecord encoded) : record(std::move(encoded)) {}
    EncodedRecord record;
    bool waited_for = false;
    bool makes_room = false;  // waited for, and all the same for the reserve
    bool is_gap = false;      // made for one batch, and anew for the next where that fails
    bool in_flight = false;
    std::function<void()> on_durable;
    std::shared_ptr<KeyChange> key_change;  // what the record says, to be done once it is durable
    Completion<Result<std::uint64_t>> done;
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Batch = std::vector<EntryPtr>;

  // What no record tells yet: told by an audit.gap in front of the next batch.
  struct Untold {
    std::int64_t lost = 0;
    std::int64_t refused = 0;
    [[nodiscard]] bool Any() const noexcept { return lost > 0 || refused > 0; }
  };

  struct State {
    std::deque<EntryPtr> queue;
    std::size_t waiting = 0;         // entries whose callers wait, in the queue and in flight
    std::size_t eventual = 0;        // the other entries, likewise
    std::size_t eventual_bytes = 0;  // of those
    Batch in_flight;
    bool torn = false;  // LogStore::torn
    Untold untold;
    Untold telling;  // the part of it that is in flight
    std::optional<Error> failure;
    bool on_reserve = false;  // the failure: what nobody waits for is written, nothing else
    Deadline retry = Deadline::Never();
    std::chrono::milliseconds backoff{0};
    bool stopping = false;
    bool last_try_failed = false;
    LogEnd end;
    std::string mark;
    SignedState checkpoint;
    std::optional<VerifierKey> public_key;
    std::optional<Error> checkpoint_failure;
  };

  Log(LogSettings settings, FileOperations& operations, UniqueFd directory, std::string boot_id);

  Result<void> OpenStore();
  [[nodiscard]] EntryPtr MakeEntry(const Record& record) const;
  Result<std::uint64_t> AppendEntry(const EntryPtr& entry, Deadline deadline);
  static void PushEventual(State& state, EntryPtr entry);
  static Error GiveUp(State& state, const EntryPtr& entry);

  // The writer's side.
  void Write();
  Result<void> KeepReserve(Batch& batch);
  bool GatherBatch(Batch& batch);
  void AddGap(State& state, Batch& batch) const;
  Result<void> Commit(const Batch& batch);
  void OnDurable(State& state);
  void OnFailed(State& state, const Error& error);
  void NoteFailure(State& state, const Error& error) const;
  static void Refuse(State& state, const EntryPtr& entry, ErrorCode code);
  void TellWhetherItWorks();
  void Tidy();
  void TellOfTree(const Result<void>& done);
  void ChangeKey(KeyChange& change);

  LogSettings settings_;  // const once it is open
  FileOperations& operations_;
  const UniqueFd directory_;
  const std::string boot_id_;

  std::optional<LogStore> store_;  // the writer's
  bool can_reserve_ = true;        // since Open

  Guarded<State> state_;
  std::condition_variable_any work_;     // the writer waits on it
  std::condition_variable_any settled_;  // Drain and WaitBeyond wait on it
  Guarded<bool> told_works_{true};
  StallWatch stall_watch_;
  std::jthread writer_;  // last: it uses all of the above
};

}  // namespace tidewaiter::audit
