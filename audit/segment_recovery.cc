#include "audit/segment_recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/line_reader.h"
#include "audit/note_reader.h"
#include "audit/record_header.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"
#include "base/durable_file.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kHashBuffer = std::size_t{1} << 20U;

Error Refuse(const std::string& name, const std::string& cause) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("open audit log {}: {}", Quoted(name), cause), "AUDIT_UNAVAILABLE");
}

Result<UniqueFd> OpenForReading(int directory, const std::string& name) {
  UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return Refuse(name, "it is missing");
  if (!fd) return ErrnoError(errno, "open audit log " + Quoted(name));
  return fd;
}

Result<std::uint64_t> SizeOf(const UniqueFd& fd, const std::string& name) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    return ErrnoError(errno, "examine audit log " + Quoted(name));
  if (!S_ISREG(status.st_mode)) return Refuse(name, "not a regular file");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Checkpoint> ReadCheckpoint(const std::string& name, const std::string& bytes,
                                  const VerifierKey& key) {
  auto checkpoint = ReadSignedCheckpoint(bytes, key);
  if (!checkpoint) return Refuse(name, checkpoint.error().message);
  return *std::move(checkpoint);
}

// The hashes of a segment, written beside the file that they replace. They follow from the lines: a
// disk that does not take them keeps nobody from going on.
class HashesFile {
 public:
  HashesFile(int directory, std::uint64_t first)
      : directory_(directory),
        name_(SegmentFileName(first, kHashesSuffix)),
        fresh_(name_ + ".new") {}

  void Begin() {
    ::unlinkat(directory_, fresh_.c_str(), 0);
    fd_ = UniqueFd(::openat(directory_, fresh_.c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    whole_ = fd_.valid();
  }
  std::string& buffer() noexcept { return buffer_; }
  void FlushIfFull() {
    if (buffer_.size() >= kHashBuffer) Flush();
  }
  // Where it could not be made there is none: an old one could be wrong.
  void Finish() {
    Flush();
    if (whole_ && ::renameat(directory_, fresh_.c_str(), directory_, name_.c_str()) == 0) return;
    ::unlinkat(directory_, fresh_.c_str(), 0);
    ::unlinkat(directory_, name_.c_str(), 0);
  }

 private:
  void Flush() {
    std::string_view rest = buffer_;
    while (whole_ && !rest.empty()) {
      const ssize_t n = ::write(fd_.get(), rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        whole_ = false;
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    buffer_.clear();
  }

  int directory_;
  std::string name_;
  std::string fresh_;
  UniqueFd fd_;
  std::string buffer_;
  bool whole_ = false;
};

class Recovery {
 public:
  Recovery(int directory, std::uint64_t first, const VerifierKey& key,
           const std::optional<Checkpoint>& remembered)
      : directory_(directory),
        first_(first),
        key_(key),
        remembered_(remembered),
        lines_name_(SegmentFileName(first, kLinesSuffix)) {}

  Result<RecoveredSegment> Run() {
    TW_TRY(ReadCheckpoints());
    TW_TRY(ReadNewest());
    if (remembered_ && remembered_->size >= first_) TW_TRY(Expect(kCheckpointName, *remembered_));
    TW_TRY(ReadRecords());
    return std::move(found_);
  }

 private:
  // The first gives the tree; each must be met by the records.
  Result<void> ReadCheckpoints() {
    const std::string name = SegmentFileName(first_, kCheckpointsSuffix);
    TW_ASSIGN(const UniqueFd fd, OpenForReading(directory_, name));
    TW_ASSIGN(const std::uint64_t size, SizeOf(fd, name));
    FileSource source(fd.get(), 0, size);
    NoteReader notes(source);
    bool begun = false;
    while (true) {
      TW_ASSIGN(const auto bytes, notes.Next());
      if (!bytes) break;
      TW_ASSIGN(const Checkpoint checkpoint, ReadCheckpoint(name, *bytes, key_));
      if (!begun) {
        if (checkpoint.size != first_) return Refuse(name, "it does not begin where its name says");
        auto edge = checkpoint.Edge();
        if (!edge) return Refuse(name, edge.error().message);
        found_.tree = *std::move(edge);
        begun = true;
      }
      TW_TRY(Expect(name, checkpoint));
      found_.listed_records = checkpoint.size;
    }
    if (!begun) return Refuse(name, "it has no checkpoint");
    if (size - notes.whole() > kMaxTornBytes) return Refuse(name, "its end is no checkpoint");
    found_.checkpoints_size = notes.whole();
    return Ok();
  }

  Result<void> ReadNewest() {
    const auto bytes = ReadOwnFile(directory_, kCheckpointName, std::size_t{64} << 10U);
    // It may have been taken away, or be what a power failure left of it: the records that it
    // covered are there all the same, or the others say that they are not.
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) return Ok();
    if (!bytes) return bytes.error();
    if (bytes->find_first_not_of('\0') == std::string::npos) return Ok();
    TW_ASSIGN(const Checkpoint checkpoint, ReadCheckpoint(kCheckpointName, *bytes, key_));
    return checkpoint.size < first_ ? Ok() : Expect(kCheckpointName, checkpoint);
  }

  Result<void> Expect(const std::string& name, const Checkpoint& checkpoint) {
    const auto [known, added] = expected_.try_emplace(checkpoint.size, checkpoint.root);
    if (!added && known->second != checkpoint.root) {
      return Refuse(name, fmt::format("two checkpoints of {} records differ", checkpoint.size));
    }
    found_.signed_records = std::max(found_.signed_records, checkpoint.size);
    return Ok();
  }

  Result<void> ReadRecords() {
    TW_ASSIGN(const UniqueFd fd, OpenForReading(directory_, lines_name_));
    TW_ASSIGN(const std::uint64_t size, SizeOf(fd, lines_name_));
    FileSource source(fd.get(), 0, size);
    LineReader lines(source);
    HashesFile hashes(directory_, first_);
    hashes.Begin();
    TW_TRY(CheckRoot());
    while (true) {
      // A line that is too long is no record either.
      const auto line = lines.Next();
      if (!line && line.error().code != ErrorCode::kFailedPrecondition) return line.error();
      if (!line || !*line) break;
      const auto header = ReadHeader(**line);
      if (!header || header->index != found_.tree.size()) break;
      found_.last_leaf = hasher_.Leaf(**line);
      found_.tree.Append(hasher_, *found_.last_leaf, hashes.buffer());
      found_.size = lines.offset();
      hashes.FlushIfFull();
      TW_TRY(CheckRoot());
    }
    found_.torn_bytes = size - found_.size;
    TW_TRY(CheckEnd(fd.get()));
    hashes.Finish();
    return Ok();
  }

  Result<void> CheckRoot() {
    const auto expected = expected_.find(found_.tree.size());
    if (expected == expected_.end() || expected->second == found_.tree.Root(hasher_)) return Ok();
    return Refuse(lines_name_,
                  fmt::format("its first {} records are not those that were signed: they have been "
                              "changed ('tidewaiter audit verify' names the first)",
                              expected->first - first_));
  }

  Result<void> CheckEnd(int fd) {
    if (found_.signed_records > found_.tree.size()) {
      return Refuse(lines_name_,
                    fmt::format("record {} is missing or damaged: {} records were signed",
                                found_.tree.size(), found_.signed_records));
    }
    if (found_.torn_bytes > kMaxTornBytes) {
      return Refuse(lines_name_, fmt::format("record {} is damaged, and more follows than a crash "
                                             "could leave",
                                             found_.tree.size()));
    }
    // Where nothing of it is ours, it is not ours to cut.
    if (found_.size == 0 && found_.torn_bytes > 0) {
      char begin[2] = {};
      const ssize_t n = ::pread(fd, begin, sizeof begin, 0);
      const bool record = n >= 1 && begin[0] == '{' && (n == 1 || begin[1] == '"');
      const bool zeroes = n >= 1 && begin[0] == '\0';
      if (!record && !zeroes) return Refuse(lines_name_, "it holds no record");
    }
    return Ok();
  }

  int directory_;
  std::uint64_t first_;
  const VerifierKey& key_;
  const std::optional<Checkpoint>& remembered_;
  std::string lines_name_;
  TreeHasher hasher_;
  std::map<std::uint64_t, Hash> expected_;  // roots by size
  RecoveredSegment found_;
};

}  // namespace

Result<RecoveredSegment> RecoverSegment(int directory, std::uint64_t first, const VerifierKey& key,
                                        const std::optional<Checkpoint>& remembered) {
  return Recovery(directory, first, key, remembered).Run();
}

}  // namespace tidewaiter::audit
