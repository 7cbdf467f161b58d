#include "audit/verifier.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "audit/byte_source.h"
#include "audit/checkpoint.h"
#include "audit/key_ring.h"
#include "audit/public_keys.h"
#include "audit/segment_check.h"
#include "audit/segment_name.h"
#include "audit/signed_note.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

// Of a running broker's folder, which removes a segment now and then.
constexpr int kMaxAttempts = 8;

// A copy can be anyone's: who may write it says nothing about what it holds.
Result<std::string> ReadSmallFile(int directory, const std::string& name, std::size_t most) {
  const UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  FileSource source(fd.get(), 0, most + 1);
  std::string text(most + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    TW_ASSIGN(const std::size_t n, source.Read(text.data() + filled, text.size() - filled));
    if (n == 0) break;
    filled += n;
  }
  text.resize(filled);
  return text;
}

// Keys by which older checkpoints, or newer ones, can be compared at all. They prove nothing.
std::vector<VerifierKey> ReadHints(int directory) {
  const auto text = ReadSmallFile(directory, kPublicKeyName, kMaxPublicKeyFileBytes);
  return ReadPublicKeys(text ? *text : std::string());
}

class Verification {
 public:
  Verification(int directory, const VerifyOptions& options)
      : directory_(directory), options_(options), keys_(options.key, ReadHints(directory)) {}

  Result<Verdict> Run() {
    // Before the segments are looked for: what it covers is there by then, also where the log goes
    // on meanwhile.
    TW_TRY(ReadKnown());
    TW_ASSIGN(const std::vector<SegmentFiles> segments, ListSegments(directory_));
    for (const SegmentFiles& each : segments) {
      if (each.HasRecords()) last_segment_ = each.first;
    }
    for (const SegmentFiles& each : segments) {
      if (each.HasRecords()) {
        TW_TRY(Check(each));
      } else if (begun_ && each.checkpoints) {
        TW_TRY(ReadCovered(each));
      }
    }
    if (!begun_) {
      Report({.kind = FaultKind::kMissing, .message = "there is no log that can be read here"});
    }
    CheckBeginning();
    CheckKnown();
    CheckEnd();
    CheckKeys();
    return std::move(verdict_);
  }

 private:
  Result<void> ReadKnown() {
    for (const OutsideCheckpoint& each : options_.checkpoints) Know(each.name, each.bytes);
    const auto newest = ReadSmallFile(directory_, kCheckpointName, kMaxNoteBytes);
    if (newest) {
      Know(kCheckpointName, *newest);
    } else if (newest.error().code != ErrorCode::kNotFound) {
      Refuse(kCheckpointName, newest.error().message);
    }
    return Ok();
  }

  // Whose it is must be known when it is compared.
  void Know(const std::string& name, const std::string& bytes) {
    const auto note = SignedNote::Parse(bytes);
    const auto checkpoint = note ? Checkpoint::Parse(note->text()) : note.error();
    if (!checkpoint) return Refuse(name, checkpoint.error().message);
    known_.emplace(checkpoint->size,
                   KnownRoot{.name = name, .root = checkpoint->root, .note = bytes});
  }

  void Refuse(const std::string& file, const std::string& cause) {
    Report({.kind = FaultKind::kCheckpoint, .file = file, .message = cause});
  }

  // Checkpoints whose records are gone say that there were some.
  Result<void> ReadCovered(const SegmentFiles& files) {
    SegmentCheck check(directory_, files, keys_, known_, false, verdict_);
    TW_ASSIGN(const std::optional<CompactRange> begin, check.Begin());
    TW_TRY(check.ReadCheckpoints());
    covered_ = std::max(covered_, check.covered());
    return Ok();
  }

  Result<void> Check(const SegmentFiles& files) {
    SegmentCheck check(directory_, files, keys_, known_, files.first == last_segment_, verdict_);
    TW_ASSIGN(std::optional<CompactRange> begin, check.Begin());
    ++verdict_.segments;
    if (!std::exchange(begun_, true)) {
      verdict_.first_record = files.first;
      if (files.first == 0 && !begin) begin.emplace();
    } else if (whole_) {
      Join(files, begin);
    }
    if (!begin) {
      whole_ = false;
      return Ok();
    }
    TW_TRY(check.Run(*std::move(begin)));
    tree_ = check.tree();
    whole_ = check.whole();
    covered_ = std::max(covered_, check.covered());
    verdict_.next_record = tree_.size();
    last_file_ = SegmentFileName(files.first, files.lines ? kLinesSuffix : kPackedSuffix);
    return Ok();
  }

  // Whether the segment goes on where the one before ended. It is checked from its own beginning
  // all the same, unless that cannot be believed.
  void Join(const SegmentFiles& files, std::optional<CompactRange>& begin) {
    const std::uint64_t end = tree_.size();
    if (end < files.first) {
      Report(
          {.kind = FaultKind::kMissing,
           .record = end,
           .count = files.first - end,
           .file = last_file_,
           .message = fmt::format("records {} to {} are missing: the next segment begins with {}",
                                  end, files.first - 1, files.first)});
    } else if (end > files.first) {
      Report({.kind = FaultKind::kInserted,
              .record = files.first,
              .count = end - files.first,
              .file = last_file_,
              .message = fmt::format("{} line(s) are inserted: the next segment begins with record "
                                     "{}",
                                     end - files.first, files.first)});
    } else if (!begin) {
      begin = tree_;
    } else if (begin->roots() != tree_.roots()) {
      Report({.record = verdict_.signed_records,
              .count = end - std::min(end, verdict_.signed_records),
              .file = last_file_,
              .message = fmt::format("a record before {} is changed: the next segment goes on from "
                                     "another tree",
                                     end)});
    }
  }

  // What the log itself says was removed is not missing: that, and no other fault, is excused. A
  // removal that a crash cut short leaves more than it says, from the oldest on.
  void CheckBeginning() {
    const std::uint64_t removed = verdict_.removed_to;
    if (verdict_.first_record <= removed) return;
    Report({.kind = FaultKind::kMissing,
            .record = removed,
            .count = verdict_.first_record - removed,
            .message = fmt::format("records {} to {} are missing, and no record that is signed for "
                                   "says that they were removed",
                                   removed, verdict_.first_record - 1)});
  }

  // Those that no line has been compared with: of somebody else, or of records that are not there.
  void CheckKnown() {
    std::erase_if(known_, [this](const auto& each) {
      const auto& [size, known] = each;
      const auto read = keys_.Read(known.note);
      if (!read) {
        Refuse(known.name, read.error().message);
      } else if (size >= verdict_.first_record) {
        keys_.Use(*read);
        if (whole_ && size <= tree_.size() && !known.compared) {
          Refuse(known.name, "its key was not known when the log was as long as it says");
        }
      }
      return !read;
    });
  }

  void CheckKeys() {
    if (const auto unvouched = keys_.FindUnvouched()) {
      Refuse(
          kPublicKeyName,
          fmt::format("checkpoints are not signed by the key {}, but by {}, and no record that is "
                      "signed for says that the log was ever under that one",
                      options_.key.ToString(), *unvouched));
    }
    if (keys_.current() == options_.key) return;
    verdict_.remarks.push_back(
        fmt::format("the log was handed over to another key since: verify with {} from now on",
                    keys_.current().ToString()));
  }

  void CheckEnd() {
    if (!known_.empty() && known_.begin()->first < verdict_.first_record) {
      verdict_.remarks.push_back(fmt::format(
          "a checkpoint of {} records cannot be compared: the records before {} have been removed",
          known_.begin()->first, verdict_.first_record));
    }
    if (!whole_) return;
    const std::uint64_t end = tree_.size();
    std::string by = "a checkpoint in its segment";
    if (!known_.empty() && known_.rbegin()->first > covered_) {
      covered_ = known_.rbegin()->first;
      by = "the checkpoint in " + Quoted(known_.rbegin()->second.name);
    }
    if (covered_ > end) {
      Report({.kind = FaultKind::kTruncated,
              .record = end,
              .count = covered_ - end,
              .file = last_file_,
              .message = fmt::format("the log is truncated: records {} to {} are missing, which {} "
                                     "covers",
                                     end, covered_ - 1, by)});
    }
    if (end > verdict_.signed_records && verdict_.Holds()) {
      verdict_.remarks.push_back(fmt::format(
          "{} record(s) from {} on are not covered by a checkpoint yet: nothing proves those",
          end - verdict_.signed_records, verdict_.signed_records));
    }
  }

  void Report(Fault fault) {
    keys_.Forget();
    if (verdict_.faults.size() < kMaxFaults) {
      verdict_.faults.push_back(std::move(fault));
    } else {
      verdict_.more_faults = true;
    }
  }

  int directory_;
  const VerifyOptions& options_;
  Verdict verdict_;
  KeyRing keys_;
  KnownRoots known_;
  CompactRange tree_;
  std::uint64_t last_segment_ = 0;
  std::string last_file_;
  std::uint64_t covered_ = 0;
  bool begun_ = false;
  bool whole_ = true;
};

// Whether the oldest segment that was there has been removed meanwhile, as a broker does: those
// that it removes go from the oldest on.
Result<bool> IsGone(int directory, const std::vector<SegmentFiles>& segments) {
  const auto oldest = std::find_if(segments.begin(), segments.end(),
                                   [](const SegmentFiles& each) { return each.HasRecords(); });
  if (oldest == segments.end()) return false;
  TW_ASSIGN(const std::vector<SegmentFiles> now, ListSegments(directory));
  return std::none_of(now.begin(), now.end(), [&oldest](const SegmentFiles& each) {
    return each.first == oldest->first && each.HasRecords();
  });
}

}  // namespace

Result<Verdict> VerifyLog(UniqueFd directory, const VerifyOptions& options) {
  for (int attempt = 1;; ++attempt) {
    TW_ASSIGN(const std::vector<SegmentFiles> before, ListSegments(directory.get()));
    auto verdict = Verification(directory.get(), options).Run();
    if (verdict && verdict->Holds()) return verdict;
    TW_ASSIGN(const bool gone, IsGone(directory.get(), before));
    if (!gone || attempt == kMaxAttempts) return verdict;
  }
}

}  // namespace tidewaiter::audit
