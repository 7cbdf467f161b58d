// The log's folder as its writer sees it: the segment that grows, the tree over all records, the
// checkpoints by which the broker commits itself to it. docs/AUDIT.md shows the files.
//
// Thread: one at a time (the log's writer).
// It must never sign for a record that is not on disk, nor count one that could not be written.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/compact_range.h"
#include "audit/file_operations.h"
#include "audit/log_file.h"
#include "audit/segment_name.h"
#include "audit/segment_recovery.h"
#include "audit/signing_key.h"
#include "base/deadline.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

struct StoreSettings {
  // Signs the checkpoints; its name is the log's origin. Required.
  std::shared_ptr<const SigningKey> key = {};
  // Of a hand-over that a former process began: signs what `key` signs, too, until it is finished.
  // Null: there is none.
  std::shared_ptr<const SigningKey> successor = {};
  // A segment ends at the first record behind either.
  std::uint64_t segment_bytes = std::uint64_t{64} << 20U;
  std::chrono::milliseconds segment_age{std::chrono::hours(24)};
  // So much disk is allocated behind the end of the segment that grows. 0: none.
  std::uint64_t reserve_bytes = std::uint64_t{16} << 20U;
  // A checkpoint is made once so many records are not covered by one, or have not been for so long.
  std::uint64_t checkpoint_records = 1024;
  std::chrono::milliseconds checkpoint_interval{std::chrono::seconds(1)};
  // The newest one is put into the segment's list once that is so many records or so long behind,
  // and where the segment ends.
  std::chrono::milliseconds list_interval{std::chrono::minutes(1)};
  // A folder (borrowed) that those who may write the log's need not reach: there the newest
  // checkpoint is kept, too, and a start goes on from no log that does not have what it covers. -1:
  // none.
  int state_directory = -1;
};

// The name of that one.
inline constexpr char kRememberedName[] = "audit.checkpoint";

// How far the log goes: what readers may show.
struct LogEnd {
  std::uint64_t segment = 0;     // first index of the one that grows
  std::uint64_t size = 0;        // its durable bytes
  std::uint64_t next_index = 0;  // after the last durable record
  friend bool operator==(const LogEnd&, const LogEnd&) = default;
};

class LogStore {
 public:
  // Goes on with the log in `directory` (borrowed, locked by the caller), or begins one. Errors:
  // FAILED_PRECONDITION (AUDIT_UNAVAILABLE) where what is there is not what the key signed, as
  // RecoverSegment; else errno's.
  static Result<LogStore> Open(int directory, StoreSettings settings, FileOperations& operations);

  // Appends whole lines, the first of which is record next_index(). Errors as LogFile::Append;
  // after a LOG_REPLACED the next call begins a segment.
  Result<void> Append(std::string_view lines);

  // Sees to it that the reserve will still be there behind the next `bytes`. Errors as
  // DiskReserve::Keep: what there is of it is for records that must not be refused.
  Result<void> KeepReserve(std::uint64_t bytes = 0);
  // False where the file system cannot allocate beforehand.
  [[nodiscard]] bool can_reserve() const noexcept { return !file_ || file_->can_reserve(); }

  // Signs for every record there is, and keeps that in the segment and as the newest one. Nothing
  // to do where that is done. The log goes on without where it fails; the next is due all the same.
  Result<void> Sign();
  // When Sign is due; never where there is nothing to sign.
  [[nodiscard]] Deadline sign_due() const noexcept { return sign_due_; }
  // The newest checkpoint, a signed note; empty before the first.
  [[nodiscard]] const std::string& checkpoint() const noexcept { return checkpoint_; }
  // How many records it covers.
  [[nodiscard]] std::uint64_t signed_records() const noexcept { return signed_; }

  // Ends the segment and begins the next where that is due. Where it fails, the old one goes on
  // and it is due again after a pause; until then the failure stands.
  Result<void> RotateIfDue();
  [[nodiscard]] const std::optional<Error>& rotation_failure() const noexcept {
    return rotation_failure_;
  }

  // Begins to hand the log over to `successor`, which a record must say already: ends the segment,
  // and begins the next with a checkpoint that both keys sign, as they do every one from here on
  // until FinishHandOver. When this returns, on disk, whoever has either key can go on with the
  // log.
  Result<void> HandOver(std::shared_ptr<const SigningKey> successor);
  // From here on the successor alone signs. Only once no start can come upon the former key.
  void FinishHandOver();
  // The key that a start must have.
  [[nodiscard]] const VerifierKey& public_key() const noexcept { return settings_.key->verifier(); }

  [[nodiscard]] LogEnd end() const noexcept;
  // Whether what a failed Append wrote may still be there after a crash.
  [[nodiscard]] bool torn() const noexcept { return file_ && file_->torn(); }
  // How much Open cut off.
  [[nodiscard]] std::uint64_t cut_bytes() const noexcept { return cut_bytes_; }
  // Names the last record, so that a later start can tell whether it is still there:
  // "INDEX HASH". Of a log without records: the inode of its file.
  [[nodiscard]] std::string Mark() const;

 private:
  LogStore(int directory, StoreSettings settings, FileOperations& operations)
      : directory_(directory), settings_(std::move(settings)), operations_(&operations) {}

  Result<void> GoOn(std::uint64_t first, const std::optional<Checkpoint>& remembered);
  Result<void> Begin();
  Result<void> Succeed(LogFile& next);
  Result<void> Rotate();
  [[nodiscard]] Result<std::optional<Checkpoint>> Remembered() const;
  [[nodiscard]] Result<void> CheckSuccession(const SegmentFiles* last) const;
  Result<void> RemoveUnbegun(std::uint64_t first);
  void OpenHashes();
  Result<void> KeepCheckpoint(const std::string& note);
  Result<void> ListCheckpoint(const std::string& note);
  [[nodiscard]] Result<std::string> MakeNote(bool with_edge) const;
  void WritePublicKey(const std::vector<VerifierKey>& former) const;
  void AddToTree(std::string_view lines);
  void WriteHashes();

  int directory_;
  StoreSettings settings_;
  FileOperations* operations_;

  std::uint64_t first_ = 0;      // of the segment
  std::optional<LogFile> file_;  // its lines; nothing after a replacement
  bool name_is_synced_ = false;
  UniqueFd checkpoints_;
  std::uint64_t checkpoints_size_ = 0;
  UniqueFd hashes_;
  std::string unwritten_hashes_;
  std::uint64_t hashes_size_ = 0;
  std::uint64_t listed_ = 0;  // records that the last checkpoint in it covers
  Deadline list_due_ = Deadline::Never();
  Deadline rotation_due_ = Deadline::Never();
  std::optional<Error> rotation_failure_;

  TreeHasher hasher_;
  CompactRange tree_;
  std::optional<Hash> last_leaf_;
  std::uint64_t signed_ = 0;  // records that the newest checkpoint covers
  Deadline sign_due_ = Deadline::Never();
  std::string checkpoint_;
  std::uint64_t cut_bytes_ = 0;
};

}  // namespace tidewaiter::audit
