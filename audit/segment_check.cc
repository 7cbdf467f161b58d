#include "audit/segment_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <utility>

#include "audit/record.h"
#include "audit/record_header.h"
#include "audit/segment_packer.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

Result<UniqueFd> OpenRegular(int directory, const std::string& name) {
  UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, "examine " + Quoted(name));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kNotFound, "open " + Quoted(name) + ": not a regular file");
  }
  return fd;
}

// The text of a member that is a key. In JSON a quote within a text is escaped: what looks like the
// member is the member, and a key needs no escapes.
std::string_view KeyIn(std::string_view line, std::string_view member) {
  const std::string name = fmt::format("\"{}\":\"", member);
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + name.size());
  return line.substr(0, line.find('"'));
}

// How far a record of that type says that records have been removed. In JSON a quote within a text
// is escaped: what looks like the member is the member.
std::uint64_t RemovedTo(std::string_view line) {
  const std::string name = fmt::format("\"{}\":", kRemovedToName);
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return 0;
  line.remove_prefix(at + name.size());
  std::uint64_t index = 0;
  std::from_chars(line.data(), line.data() + line.size(), index);
  return index;
}

constexpr std::uint64_t kWholeFile = std::numeric_limits<std::int64_t>::max();

}  // namespace

SegmentCheck::SegmentCheck(int directory, const SegmentFiles& files, KeyRing& keys,
                           KnownRoots& known, bool grows, Verdict& verdict)
    : directory_(directory),
      files_(files),
      keys_(keys),
      known_(known),
      grows_(grows),
      verdict_(verdict),
      lines_name_(SegmentFileName(files.first, files.lines ? kLinesSuffix : kPackedSuffix)),
      checkpoints_name_(SegmentFileName(files.first, kCheckpointsSuffix)),
      hints_(directory, files.first) {}

Result<std::optional<CompactRange>> SegmentCheck::Begin() {
  const auto refuse = [this](const std::string& cause) {
    Report({.kind = FaultKind::kCheckpoint,
            .record = files_.first,
            .file = checkpoints_name_,
            .message = cause});
    return std::optional<CompactRange>();
  };
  auto fd = OpenRegular(directory_, checkpoints_name_);
  if (!fd && fd.error().code != ErrorCode::kNotFound) return fd.error();
  if (!fd) return refuse("the segment's checkpoints are missing");
  checkpoints_fd_ = *std::move(fd);
  // Those that are there now: of a log that goes on, later ones cover lines that are read no more.
  struct stat status {};
  if (::fstat(checkpoints_fd_.get(), &status) != 0) {
    return ErrnoError(errno, "examine " + Quoted(checkpoints_name_));
  }
  checkpoints_source_.emplace(checkpoints_fd_.get(), 0, static_cast<std::uint64_t>(status.st_size));
  notes_.emplace(*checkpoints_source_);
  TW_TRY(NextCheckpoint());
  if (!next_) return refuse("it has no checkpoint that can be believed");
  if (next_->size != files_.first) return refuse("it does not begin where its name says");
  auto edge = next_->Edge();
  if (!edge) return refuse(edge.error().message);
  return std::optional<CompactRange>(*std::move(edge));
}

// Past those that cannot be believed.
Result<void> SegmentCheck::NextCheckpoint() {
  next_.reset();
  if (!notes_) return Ok();
  const auto refuse = [this](const std::string& cause) {
    Report({.kind = FaultKind::kCheckpoint,
            .record = last_note_size_,
            .file = checkpoints_name_,
            .message = cause});
  };
  while (true) {
    auto note = notes_->Next();
    if (!note) {
      if (note.error().code != ErrorCode::kFailedPrecondition) return note.error();
      refuse(note.error().message);
      notes_.reset();
      return Ok();
    }
    if (!*note) return Ok();
    auto read = keys_.Read(**note);
    if (!read) {
      refuse(read.error().message);
      continue;
    }
    const std::uint64_t size = read->checkpoint.size;
    if (size < last_note_size_) {
      refuse(fmt::format("the checkpoint of {} records stands behind that of {}", size,
                         last_note_size_));
      continue;
    }
    keys_.Use(*read);
    last_note_size_ = size;
    covered_ = std::max(covered_, size);
    next_ = std::move(read->checkpoint);
    next_signers_ = std::move(read->signers);
    next_age_ = keys_.age();
    next_note_ = **std::move(note);
    return Ok();
  }
}

// Whom it is believed for may have changed since it was read ahead.
Result<void> SegmentCheck::ReadAgain() {
  if (next_age_ == keys_.age()) return Ok();
  TW_ASSIGN(KeyRing::Reading read, keys_.Read(next_note_));
  keys_.Use(read);
  next_signers_ = std::move(read.signers);
  return Ok();
}

Result<void> SegmentCheck::ReadCheckpoints() {
  while (next_) TW_TRY(NextCheckpoint());
  return Ok();
}

// Of a running broker, what was listed as lines can be compressed by now.
Result<bool> SegmentCheck::OpenLines() {
  const std::string lines = SegmentFileName(files_.first, kLinesSuffix);
  const std::string packed = SegmentFileName(files_.first, kPackedSuffix);
  auto fd = OpenRegular(directory_, lines);
  if (fd) {
    lines_name_ = lines;
    source_ = std::make_unique<FileSource>(*std::move(fd), kWholeFile);
    return true;
  }
  if (fd.error().code != ErrorCode::kNotFound) return fd.error();
  fd = OpenRegular(directory_, packed);
  if (!fd && fd.error().code != ErrorCode::kNotFound) return fd.error();
  if (!fd) return false;
  lines_name_ = packed;
  source_ = std::make_unique<ZstdSource>(*std::move(fd));
  return true;
}

// Readers take one of the two: what the other says must be the same.
Result<void> SegmentCheck::ComparePacked() {
  if (!files_.lines || !files_.packed) return Ok();
  const auto same = HasSameRecords(directory_, files_.first);
  if (same && *same) return Ok();
  if (!same && same.error().code == ErrorCode::kNotFound) return Ok();  // packed just now
  Report({.record = files_.first,
          .file = SegmentFileName(files_.first, kPackedSuffix),
          .message = same ? fmt::format("it does not say what {} says", lines_name_)
                          : same.error().message});
  return Ok();
}

Result<void> SegmentCheck::Run(CompactRange tree) {
  tree_ = std::move(tree);
  good_ = tree_.size();
  TW_ASSIGN(const bool opened, OpenLines());
  if (!opened) {
    stopped_ = true;
    Report({.kind = FaultKind::kMissing,
            .record = tree_.size(),
            .file = lines_name_,
            .message = fmt::format("record {} is missing: the segment cannot be opened any more",
                                   tree_.size())});
    return Ok();
  }
  TW_TRY(ComparePacked());
  LineReader lines(*source_);
  TW_TRY(CheckRoots());
  while (!stopped_) {
    const std::uint64_t offset = lines.offset();
    const auto line = lines.Next();
    if (!line && line.error().code != ErrorCode::kFailedPrecondition) return line.error();
    if (!line) {
      Report({.record = tree_.size(),
              .file = lines_name_,
              .offset = offset,
              .message =
                  fmt::format("record {} cannot be read: {}", tree_.size(), line.error().message)});
      stopped_ = true;
      break;
    }
    if (!*line) break;
    CheckLine(**line, offset);
    if (stopped_) {
      TW_TRY(LookFurther(lines));
    } else {
      TW_TRY(CheckRoots());
    }
  }
  if (!stopped_ && lines.pending() > 0 && !grows_) {
    Report({.kind = FaultKind::kInserted,
            .record = tree_.size(),
            .file = lines_name_,
            .offset = lines.offset(),
            .message = fmt::format("{} bytes that are no record stand behind record {}, the "
                                   "segment's last",
                                   lines.pending(), tree_.size() - 1)});
  } else if (!stopped_ && lines.pending() > 0) {
    verdict_.remarks.push_back(
        fmt::format("{} ends in {} bytes that are no whole record, as a copy "
                    "of a log that is being written does",
                    lines_name_, lines.pending()));
  }
  TW_TRY(ReadCheckpoints());
  if (suspect_) {
    ReportSuspect(
        "it is not the one whose hash was written beside it, and no checkpoint that is met "
        "says otherwise");
  }
  return Ok();
}

void SegmentCheck::CheckLine(std::string_view line, std::uint64_t offset) {
  const std::uint64_t index = tree_.size();
  const Hash leaf = hasher_.Leaf(line);
  const std::optional<Hash> hint = hints_.Next();
  if (suspect_) Follow(leaf, hint);
  const auto header = ReadHeader(line);
  if (!header || header->index != index) {
    stopped_ = true;
    if (suspect_) return ReportSuspect("the records' numbers do not go on");
    Fault fault{.record = index, .file = lines_name_, .offset = offset};
    if (!header) {
      fault.message = fmt::format("record {} is changed: the line is no record", index);
    } else if (header->index > index) {
      fault.kind = FaultKind::kMissing;
      fault.count = header->index - index;
      fault.message =
          fmt::format("record {} is missing: record {} stands in its place", index, header->index);
    } else {
      fault.kind = FaultKind::kInserted;
      fault.message =
          fmt::format("a line is inserted before record {}: it says that it is record {}", index,
                      header->index);
    }
    return Report(std::move(fault));
  }
  if (hint && *hint != leaf && !suspect_) {
    suspect_ = {.record = index, .offset = offset, .was = *hint, .is = leaf};
  }
  if (header->type == kAuditRemovedName) keys_.NoteRemoval(RemovedTo(line));
  if (header->type == kAuditKeyChangedName) {
    keys_.Note(KeyIn(line, kFormerKeyName), KeyIn(line, kNextKeyName));
  }
  tree_.Append(hasher_, leaf);
  verdict_.bytes += line.size() + 1;
}

// Where the record that is missing comes next, the two have changed places.
Result<void> SegmentCheck::LookFurther(LineReader& lines) {
  if (verdict_.more_faults || verdict_.faults.back().kind != FaultKind::kMissing) return Ok();
  Fault& fault = verdict_.faults.back();
  const auto line = lines.Next();
  if (!line && line.error().code != ErrorCode::kFailedPrecondition) return line.error();
  if (!line || !*line) return Ok();
  const auto header = ReadHeader(**line);
  if (!header || header->index != fault.record) return Ok();
  fault.kind = FaultKind::kReordered;
  fault.message = fmt::format("record {} is not in its place: {} stands before it", fault.record,
                              fault.record + fault.count);
  ++fault.count;
  return Ok();
}

void SegmentCheck::Follow(const Hash& leaf, const std::optional<Hash>& hint) {
  const std::uint64_t distance = tree_.size() - suspect_->record;
  if (suspect_->was_met == 0 && leaf == suspect_->was) suspect_->was_met = distance;
  if (suspect_->is_met == 0 && hint && *hint == suspect_->is) suspect_->is_met = distance;
}

Result<void> SegmentCheck::CheckRoots() {
  const std::uint64_t size = tree_.size();
  while (next_ && next_->size <= size && !stopped_) {
    if (next_->size == size && next_->root != tree_.Root(hasher_)) {
      ReportChange(size, checkpoints_name_);
      stopped_ = true;
      return Ok();
    }
    if (next_->size == size) {
      TW_TRY(ReadAgain());
      Meet(next_note_, next_signers_);
    }
    TW_TRY(NextCheckpoint());
  }
  const auto [begin, end] = known_.equal_range(size);
  for (auto each = begin; each != end; ++each) {
    KnownRoot& known = each->second;
    const auto read = keys_.Read(known.note);
    if (!read) continue;
    keys_.Use(*read);
    known.compared = true;
    if (known.root == tree_.Root(hasher_)) {
      Meet(known.note, read->signers);
    } else if (suspect_) {
      ReportChange(size, known.name);
      stopped_ = true;
      return Ok();
    } else {
      Report({.kind = FaultKind::kForked,
              .record = good_ < size ? good_ : 0,
              .count = good_ < size ? size - good_ : size,
              .file = known.name,
              .message = fmt::format("the log is not the one that this checkpoint of {} records is "
                                     "of: one of those records is another",
                                     size)});
    }
  }
  return Ok();
}

// A checkpoint holds for all records up to here. What they say counts where it is a believed one.
void SegmentCheck::Meet(const std::string& note, const std::vector<std::string>& signers) {
  good_ = tree_.size();
  ++verdict_.checkpoints;
  if (!signers.empty()) {
    verdict_.signed_records = good_;
    verdict_.newest = note;
    const std::uint64_t age = keys_.age();
    keys_.Believe(signers);
    // Of a hand-over that it covers itself, the successor may have signed it, too.
    if (keys_.age() != age) {
      if (const auto again = keys_.Read(note); again) keys_.Believe(again->signers);
    }
    verdict_.removed_to = keys_.removed_to();
  }
  if (!suspect_) return;
  verdict_.remarks.push_back(
      fmt::format("{} is damaged; it is made of the records and nothing depends on it",
                  SegmentFileName(files_.first, kHashesSuffix)));
  suspect_.reset();
  hints_ = HashHints();
}

void SegmentCheck::ReportChange(std::uint64_t size, const std::string& name) {
  if (suspect_) {
    return ReportSuspect(fmt::format("a checkpoint of {} records in {} does not hold", size, name));
  }
  Report({.record = good_,
          .count = size - good_,
          .file = lines_name_,
          .message = fmt::format("one of the records {} to {} is changed: the checkpoint of {} "
                                 "records in {} does not hold",
                                 good_, size - 1, size, name)});
}

void SegmentCheck::ReportSuspect(const std::string& evidence) {
  const Suspect suspect = *std::exchange(suspect_, std::nullopt);
  Fault fault{.record = suspect.record, .file = lines_name_, .offset = suspect.offset};
  std::string what = fmt::format("record {} is changed", suspect.record);
  if (suspect.was_met > 0 && suspect.was_met == suspect.is_met) {
    fault.kind = FaultKind::kReordered;
    fault.count = suspect.was_met + 1;
    what = fmt::format("records {} and {} have changed places", suspect.record,
                       suspect.record + suspect.was_met);
  } else if (suspect.was_met > 0) {
    fault.kind = FaultKind::kInserted;
    fault.count = suspect.was_met;
    what = fmt::format("{} line(s) are inserted before record {}", suspect.was_met, suspect.record);
  } else if (suspect.is_met > 0) {
    fault.kind = FaultKind::kMissing;
    fault.count = suspect.is_met;
    what = fmt::format("{} record(s) from {} on are missing", suspect.is_met, suspect.record);
  }
  fault.message = what + ": " + evidence;
  Report(std::move(fault));
}

void SegmentCheck::Report(Fault fault) {
  keys_.Forget();
  if (verdict_.faults.size() >= kMaxFaults) {
    verdict_.more_faults = true;
    return;
  }
  verdict_.faults.push_back(std::move(fault));
}

}  // namespace tidewaiter::audit
