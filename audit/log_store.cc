#include "audit/log_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

#include "audit/byte_source.h"
#include "audit/note_reader.h"
#include "audit/public_keys.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "audit/signed_note.h"
#include "audit/stored_hashes.h"
#include "base/durable_file.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

// After a checkpoint or a segment that could not be written.
constexpr std::chrono::seconds kPause(5);
// Hashes that wait for a disk that takes lines and nothing else. What is more is made anew by the
// next start.
constexpr std::size_t kMaxUnwrittenHashes = std::size_t{16} << 20U;

Error Refuse(const std::string& cause) {
  return Fail(
      ErrorCode::kFailedPrecondition,
      "open audit log: " + cause +
          "; to begin a new log, move everything in its folder to where auditors look for it, "
          "and audit.key and audit.key.next out of the state folder",
      "AUDIT_UNAVAILABLE");
}

Result<UniqueFd> OpenSideFile(int directory, const std::string& name, int flags) {
  UniqueFd fd(::openat(directory, name.c_str(),
                       flags | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  return fd;
}

// Writes `text` at `offset`, over whatever a failed attempt left behind it.
Result<void> WriteAt(int fd, std::uint64_t offset, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "write beside the audit log");
    offset += static_cast<std::uint64_t>(n);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::ftruncate(fd, static_cast<off_t>(offset)) != 0) {
    return ErrnoError(errno, "cut what is beside the audit log");
  }
  return Ok();
}

// A file of lines that was just made, and could not be begun.
void RemoveIfEmpty(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(status.st_mode) && status.st_size == 0) ::unlinkat(directory, name.c_str(), 0);
}

// How long the file has existed; nothing where the file system does not know.
std::chrono::seconds AgeOf(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0 ||
      (status.stx_mask & STATX_BTIME) == 0) {
    return std::chrono::seconds(0);
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now) -
                   std::chrono::seconds(status.stx_btime.tv_sec);
  return std::max(age, std::chrono::seconds(0));
}

}  // namespace

Result<LogStore> LogStore::Open(int directory, StoreSettings settings, FileOperations& operations) {
  LogStore store(directory, std::move(settings), operations);
  TW_ASSIGN(const std::vector<SegmentFiles> segments, ListSegments(directory));
  const auto last = std::find_if(segments.rbegin(), segments.rend(),
                                 [](const SegmentFiles& each) { return each.HasRecords(); });
  TW_ASSIGN(const std::optional<Checkpoint> remembered, store.Remembered());
  TW_TRY(store.CheckSuccession(last == segments.rend() ? nullptr : &*last));
  if (last == segments.rend()) {
    if (remembered && remembered->size > 0) {
      return Refuse(
          fmt::format("there is no record, and its key has signed for {}", remembered->size));
    }
    const auto newest = ReadOwnFile(directory, kCheckpointName, std::size_t{64} << 10U);
    if (newest && !newest->empty()) return Refuse("there is a checkpoint, and no record");
    if (!segments.empty() && segments.back().first > 0) return Refuse("its records are missing");
    TW_TRY(store.Begin());
  } else {
    if (!last->lines) return Refuse("the segment that was being written is missing");
    if (Result<void> gone_on = store.GoOn(last->first, remembered); !gone_on) {
      if (gone_on.error().code != ErrorCode::kFailedPrecondition) return gone_on.error();
      return Refuse(gone_on.error().message);
    }
    for (auto later = segments.rbegin(); later != last; ++later) {
      if (later->first > store.tree_.size()) return Refuse("its last records are missing");
      TW_TRY(store.RemoveUnbegun(later->first));
    }
  }
  store.sign_due_ = Deadline::After(std::chrono::seconds(0));
  static_cast<void>(store.KeepReserve());
  store.WritePublicKey({});
  return store;
}

// The newest, `former`, and those of before as they stand there. A full disk must not keep a broker
// from cleaning up: where it cannot be written, whoever verifies brings the keys along.
void LogStore::WritePublicKey(const std::vector<VerifierKey>& former) const {
  const auto written = LoadPublicKeys(directory_);
  // What cannot be read is not written over: it names keys that nobody else does.
  if (!written) return;
  std::string text = public_key().ToString() + "\n";
  for (const std::vector<VerifierKey>& keys : {former, *written}) {
    for (const VerifierKey& each : keys) {
      if (each.name() == public_key().name()) text += each.ToString() + "\n";
    }
  }
  const std::vector<VerifierKey> keys = ReadPublicKeys(text);
  if (keys == *written) return;
  text.clear();
  for (const VerifierKey& each : keys) text += each.ToString() + "\n";
  static_cast<void>(ReplaceDurably(directory_, kPublicKeyName, text));
}

// Of another key's log there can be one, too, where a new log was begun under a new key.
Result<std::optional<Checkpoint>> LogStore::Remembered() const {
  if (settings_.state_directory < 0) return std::optional<Checkpoint>();
  const auto bytes = ReadOwnFile(settings_.state_directory, kRememberedName, kMaxNoteBytes);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return std::optional<Checkpoint>();
  if (!bytes) return bytes.error();
  auto checkpoint = ReadSignedCheckpoint(*bytes, settings_.key->verifier());
  if (!checkpoint) return std::optional<Checkpoint>();
  return std::optional<Checkpoint>(*std::move(checkpoint));
}

// Whoever hands over signs first, and the successor behind it. A key that alone goes on where a
// successor has signed already would leave a log that neither can be verified with.
Result<void> LogStore::CheckSuccession(const SegmentFiles* last) const {
  const auto check = [this](const std::string& name, const Result<std::string>& bytes) {
    const auto note = bytes ? SignedNote::Parse(*bytes) : bytes.error();
    if (!note || !note->IsSignedBy(public_key())) return Ok();
    const std::string signer = note->LastSigner(public_key().name());
    if (signer == public_key().id()) return Ok();
    if (settings_.successor && signer == settings_.successor->verifier().id()) return Ok();
    std::string id;
    for (const char byte : signer) id += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return Result<void>(Refuse(
        fmt::format("{} claims that the log was being handed over to the key {}, which is neither "
                    "audit.key nor audit.key.next: restore that one",
                    Quoted(name), id)));
  };
  if (settings_.state_directory >= 0) {
    TW_TRY(check(kRememberedName,
                 ReadOwnFile(settings_.state_directory, kRememberedName, kMaxNoteBytes)));
  }
  TW_TRY(check(kCheckpointName, ReadOwnFile(directory_, kCheckpointName, kMaxNoteBytes)));
  if (last == nullptr) return Ok();
  const std::string name = SegmentFileName(last->first, kCheckpointsSuffix);
  const UniqueFd fd(
      ::openat(directory_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return Ok();  // for who reads it to tell
  FileSource source(fd.get(), 0, std::numeric_limits<std::int64_t>::max());
  const auto first = NoteReader(source).Next();
  return first && *first ? check(name, **first) : Ok();
}

// What is left of a segment that a crash kept from beginning: one checkpoint, of the records before
// it. More says that it had begun, and that its records are gone.
Result<void> LogStore::RemoveUnbegun(std::uint64_t first) {
  const std::string name = SegmentFileName(first, kCheckpointsSuffix);
  const UniqueFd fd(
      ::openat(directory_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd) {
    FileSource source(fd.get(), 0, std::numeric_limits<std::int64_t>::max());
    NoteReader notes(source);
    while (true) {
      TW_ASSIGN(const auto note, notes.Next());
      if (!note) break;
      const auto checkpoint = ReadSignedCheckpoint(*note, settings_.key->verifier());
      if (checkpoint && checkpoint->size > tree_.size()) {
        return Refuse(fmt::format("its last records are missing: {} were signed, {} are there",
                                  checkpoint->size, tree_.size()));
      }
    }
  }
  for (const std::string_view suffix : {kCheckpointsSuffix, kHashesSuffix}) {
    const std::string left = SegmentFileName(first, suffix);
    if (::unlinkat(directory_, left.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoError(errno, "remove " + Quoted(left));
    }
  }
  return Ok();
}

Result<void> LogStore::GoOn(std::uint64_t first, const std::optional<Checkpoint>& remembered) {
  TW_ASSIGN(LogFile file,
            LogFile::Open(directory_, SegmentFileName(first, kLinesSuffix), *operations_));
  TW_ASSIGN(RecoveredSegment found,
            RecoverSegment(directory_, first, settings_.key->verifier(), remembered));
  // Also where nothing is torn: a writer that was killed before its sync has left lines that are in
  // memory only, and what is signed for must be on disk.
  TW_TRY(file.CutTo(found.size));
  cut_bytes_ = found.torn_bytes;
  first_ = first;
  tree_ = std::move(found.tree);
  last_leaf_ = found.last_leaf;
  signed_ = found.signed_records;
  listed_ = found.listed_records;
  list_due_ = Deadline::After(settings_.list_interval);
  rotation_due_ = Deadline::After(settings_.segment_age - AgeOf(file.fd()));
  file_.emplace(std::move(file));
  TW_ASSIGN(checkpoints_, OpenSideFile(directory_, SegmentFileName(first_, kCheckpointsSuffix), 0));
  checkpoints_size_ = found.checkpoints_size;
  OpenHashes();
  return Ok();
}

// The next segment has its reserve before the one that grows loses its own. A file that has none is
// taken away again before anything else is written: two segments must not grow from one record.
Result<void> LogStore::Succeed(LogFile& next) {
  Result<void> reserved = next.Reserve(settings_.reserve_bytes);
  // A file that will not go is the one to go on in.
  if (!reserved && next.Remove()) {
    name_is_synced_ = false;
    static_cast<void>(RemoveUnbegun(tree_.size()));
    return reserved;
  }
  file_->GiveBackReserve();
  return Ok();
}

// A checkpoint first, so that no record is ever without the tree that it goes on from; and nothing
// that can fail and leaves the file of lines behind.
Result<void> LogStore::Begin() {
  const std::uint64_t first = tree_.size();
  TW_ASSIGN(const std::string note, MakeNote(true));
  const std::string name = SegmentFileName(first, kCheckpointsSuffix);
  TW_TRY(ReplaceDurably(directory_, name, note));
  Result<UniqueFd> checkpoints = OpenSideFile(directory_, name, 0);
  Result<LogFile> file =
      checkpoints ? LogFile::Begin(directory_, SegmentFileName(first, kLinesSuffix), *operations_)
                  : checkpoints.error();
  if (!file) {
    RemoveIfEmpty(directory_, SegmentFileName(first, kLinesSuffix));
    name_is_synced_ = false;
    static_cast<void>(RemoveUnbegun(first));
    return file.error();
  }
  if (file_) TW_TRY(Succeed(*file));
  file_.emplace(*std::move(file));
  rotation_failure_.reset();
  name_is_synced_ = false;
  first_ = first;
  rotation_due_ = Deadline::After(settings_.segment_age);
  checkpoints_ = *std::move(checkpoints);
  checkpoints_size_ = note.size();
  listed_ = first;
  list_due_ = Deadline::After(settings_.list_interval);
  OpenHashes();
  return Ok();
}

void LogStore::OpenHashes() {
  unwritten_hashes_.clear();
  hashes_size_ = kHashBytes * (StoredHashes(tree_.size()) - StoredHashes(first_));
  auto fd = OpenSideFile(directory_, SegmentFileName(first_, kHashesSuffix), O_CREAT);
  hashes_ = fd ? *std::move(fd) : UniqueFd();
  struct stat status {};
  // One that could not be made anew would have a hole.
  if (hashes_ && (::fstat(hashes_.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
                  static_cast<std::uint64_t>(status.st_size) < hashes_size_)) {
    hashes_.Reset();
  }
}

Result<void> LogStore::Append(std::string_view lines) {
  if (!file_) {
    TW_TRY(Begin());
    static_cast<void>(KeepReserve(lines.size()));
  }
  // The name of a file that was just made must survive a crash as well as its first record does.
  if (!name_is_synced_ && operations_->Fsync(directory_) != 0) {
    return ErrnoError(errno, "sync directory of audit log");
  }
  name_is_synced_ = true;
  if (Result<void> written = file_->Append(lines); !written) {
    if (written.error().reason == kLogReplaced) {
      file_.reset();
    } else if (!file_->torn()) {
      static_cast<void>(KeepReserve());  // the cut has given it away
    }
    return written;
  }
  AddToTree(lines);
  WriteHashes();
  if (sign_due_.never()) sign_due_ = Deadline::After(settings_.checkpoint_interval);
  if (tree_.size() - signed_ >= settings_.checkpoint_records) {
    sign_due_ = sign_due_.Sooner(Deadline::After(std::chrono::seconds(0)));
  }
  return Ok();
}

Result<void> LogStore::KeepReserve(std::uint64_t bytes) {
  if (settings_.reserve_bytes == 0) return Ok();
  if (!file_) TW_TRY(Begin());
  Result<void> kept = file_->Reserve(settings_.reserve_bytes + bytes);
  // A cut that fails is for the write to tell, which needs it, too.
  if (kept || file_->torn()) return Ok();
  kept.error().message += "; what is left is kept for the ends of runs";
  return kept;
}

void LogStore::AddToTree(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t feed = lines.find('\n');
    last_leaf_ = hasher_.Leaf(lines.substr(0, feed));
    tree_.Append(hasher_, *last_leaf_, unwritten_hashes_);
    lines.remove_prefix(feed + 1);
  }
}

// They follow from the lines: nothing is lost where they cannot be written.
void LogStore::WriteHashes() {
  if (!hashes_) {
    unwritten_hashes_.clear();
    return;
  }
  if (WriteAt(hashes_.get(), hashes_size_, unwritten_hashes_)) {
    hashes_size_ += unwritten_hashes_.size();
    unwritten_hashes_.clear();
  } else if (unwritten_hashes_.size() > kMaxUnwrittenHashes) {
    hashes_.Reset();
    unwritten_hashes_.clear();
  }
}

Result<std::string> LogStore::MakeNote(bool with_edge) const {
  Checkpoint checkpoint = Checkpoint::WithEdge(settings_.key->verifier().name(), tree_);
  if (!with_edge) checkpoint.extensions.clear();
  std::vector<const SigningKey*> signers{settings_.key.get()};
  if (settings_.successor) signers.push_back(settings_.successor.get());
  TW_ASSIGN(const SignedNote note, SignedNote::Sign(checkpoint.ToString(), signers));
  return note.ToString();
}

Result<void> LogStore::Sign() {
  if (!file_ || (tree_.size() == signed_ && !checkpoint_.empty())) {
    sign_due_ = Deadline::Never();
    return Ok();
  }
  sign_due_ = Deadline::After(kPause);
  TW_ASSIGN(std::string note, MakeNote(false));
  TW_TRY(KeepCheckpoint(note));
  checkpoint_ = std::move(note);
  signed_ = tree_.size();
  sign_due_ = Deadline::Never();
  return Ok();
}

// The remembered one first: whoever has seen a checkpoint can count on a start that knows of it.
Result<void> LogStore::KeepCheckpoint(const std::string& note) {
  if (settings_.state_directory >= 0) {
    TW_TRY(ReplaceDurably(settings_.state_directory, kRememberedName, note));
  }
  if (tree_.size() - listed_ >= settings_.checkpoint_records || list_due_.Passed()) {
    TW_TRY(ListCheckpoint(note));
  }
  return ReplaceDurably(directory_, kCheckpointName, note);
}

Result<void> LogStore::ListCheckpoint(const std::string& note) {
  TW_TRY(WriteAt(checkpoints_.get(), checkpoints_size_, "\n" + note));
  if (::fdatasync(checkpoints_.get()) != 0) return ErrnoError(errno, "sync checkpoints");
  checkpoints_size_ += 1 + note.size();
  listed_ = tree_.size();
  list_due_ = Deadline::After(settings_.list_interval);
  return Ok();
}

Result<void> LogStore::RotateIfDue() {
  if (!file_ || file_->torn() || tree_.size() == first_) return Ok();
  const bool full = file_->size() >= settings_.segment_bytes && !rotation_failure_;
  if (!full && !rotation_due_.Passed()) return Ok();
  rotation_due_ = Deadline::After(kPause);
  const Result<void> rotated = Rotate();
  rotation_failure_.reset();
  if (!rotated) rotation_failure_ = rotated.error();
  return rotated;
}

Result<void> LogStore::Rotate() {
  TW_TRY(KeepReserve());
  TW_TRY(Sign());
  if (listed_ != signed_) TW_TRY(ListCheckpoint(checkpoint_));
  if (hashes_) ::fdatasync(hashes_.get());
  return Begin();
}

// The order is that of need: by what a start under the successor's key believes nothing may be left
// that the former alone has signed, in any of the places where a start looks.
Result<void> LogStore::HandOver(std::shared_ptr<const SigningKey> successor) {
  if (successor->verifier() == public_key()) {
    return Fail(ErrorCode::kFailedPrecondition, "hand the audit log over: it is under that key");
  }
  settings_.successor = std::move(successor);
  if (!file_ || tree_.size() == signed_) {
    return Fail(ErrorCode::kUnavailable, "hand the audit log over: its record is not there",
                "AUDIT_UNAVAILABLE");
  }
  TW_TRY(Rotate());
  // Else the new segment could be gone after a crash, and the one before it is not the successor's.
  if (operations_->Fsync(directory_) != 0) {
    return ErrnoError(errno, "sync directory of audit log");
  }
  name_is_synced_ = true;
  return Ok();
}

void LogStore::FinishHandOver() {
  const VerifierKey former = public_key();
  settings_.key = std::exchange(settings_.successor, nullptr);
  WritePublicKey({former});
}

LogEnd LogStore::end() const noexcept {
  return {.segment = first_, .size = file_ ? file_->size() : 0, .next_index = tree_.size()};
}

std::string LogStore::Mark() const {
  if (last_leaf_) return fmt::format("{} {:02x}", tree_.size() - 1, fmt::join(*last_leaf_, ""));
  struct stat status {};
  if (!file_ || ::fstat(file_->fd(), &status) != 0) return {};
  return fmt::format("empty {}", status.st_ino);
}

}  // namespace tidewaiter::audit
