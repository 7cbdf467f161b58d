#include "audit/segment_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "audit/record.h"
#include "audit/record_reader.h"
#include "audit/segment_packer.h"
#include "base/deadline.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

// For the record of a removal and its checkpoint: without them nothing is removed, and the next
// round tries again.
constexpr std::chrono::seconds kPatience(5);

}  // namespace

Result<std::unique_ptr<SegmentKeeper>> SegmentKeeper::Start(Log& log, Settings settings) {
  TW_ASSIGN(Log::View view, log.Look());
  std::unique_ptr<SegmentKeeper> keeper(
      new SegmentKeeper(log, std::move(settings), std::move(view.directory)));
  keeper->thread_ =
      std::jthread([self = keeper.get()](const std::stop_token& stop) { self->Run(stop); });
  return keeper;
}

void SegmentKeeper::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Result<void> done = Round(stop);
    if (stop.stop_requested()) return;
    auto failure = failure_.Lock();
    const bool changed = failure->has_value() == done.has_value();
    failure->reset();
    if (!done) *failure = done.error();
    if (changed && settings_.on_change) settings_.on_change(*failure);
    failure.Wait(stopped_, stop, Deadline::After(settings_.interval), [] { return false; });
  }
}

Result<void> SegmentKeeper::Round(const std::stop_token& stop) {
  const std::uint64_t growing = log_.End().segment;
  TW_ASSIGN(std::vector<SegmentFiles> segments, ListSegments(directory_.get()));
  std::erase_if(segments, [&](const SegmentFiles& each) { return each.first >= growing; });
  Result<void> done = RemoveOld(segments, growing, stop);
  if (!settings_.compress) return done;
  for (const SegmentFiles& each : segments) {
    if (stop.stop_requested()) return done;
    if (!each.lines) continue;
    const Result<void> packed =
        PackSegment(directory_.get(), each.first, [&stop] { return stop.stop_requested(); });
    // One that was just removed is no failure; one that is in the way keeps no other from its turn.
    if (!packed && packed.error().code != ErrorCode::kNotFound && done) done = packed;
  }
  return done;
}

// By the log's own word: a file's dates are anybody's who may write the folder, while a changed
// record shows. Where that cannot be read, it does not.
bool SegmentKeeper::BeginsLongAgo(std::uint64_t first) const {
  UniqueFd directory(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
  if (!directory) return false;
  RecordReader records(std::move(directory), first, log_.End());
  const auto record = records.Next();
  if (!record || !*record || !(*record)->header || (*record)->header->index != first) return false;
  const std::string_view time = (*record)->header->time;
  return time.size() == kTimestampBytes &&
         time < FormatTimestamp(settings_.now() - settings_.retention);
}

// Once for each: where it cannot be signed for, the next round waits for that alone, and the log
// does not grow by a record each.
Result<std::uint64_t> SegmentKeeper::SayRemoved(std::uint64_t kept_from) {
  if (told_ && told_->kept_from == kept_from) return told_->record;
  Record removed;
  removed.type = RecordType::kAuditRemoved;
  removed.log.emplace().cause =
      fmt::format("kept for {} hours",
                  std::chrono::duration_cast<std::chrono::hours>(settings_.retention).count());
  removed.log->removed_to = static_cast<std::int64_t>(kept_from);
  TW_ASSIGN(const std::uint64_t record, log_.AppendToMakeRoom(removed, Deadline::After(kPatience)));
  told_ = {.kept_from = kept_from, .record = record};
  return record;
}

// From the oldest on, without a gap: what is left must go on from one checkpoint. A segment is old
// once the one behind it begins long ago: so does each of its records.
Result<void> SegmentKeeper::RemoveOld(const std::vector<SegmentFiles>& sealed,
                                      std::uint64_t growing, const std::stop_token& stop) {
  if (settings_.retention.count() == 0) return Ok();
  // Of one that never began there may be a checkpoint: the segment before it goes on beyond that.
  std::vector<std::uint64_t> begins;
  for (const SegmentFiles& each : sealed) {
    if (each.HasRecords()) begins.push_back(each.first);
  }
  begins.push_back(growing);
  std::uint64_t kept_from = begins.front();
  for (auto next = std::next(begins.begin()); next != begins.end(); ++next) {
    if (!BeginsLongAgo(*next)) break;
    kept_from = *next;
  }
  if (kept_from == begins.front()) return Ok();
  TW_ASSIGN(const std::uint64_t index, SayRemoved(kept_from));
  // A record that nobody has signed for excuses nothing.
  if (!log_.AwaitCheckpoint(index + 1, stop, Deadline::After(kPatience))) {
    return Fail(ErrorCode::kUnavailable, "remove old segments: no checkpoint says that they go");
  }
  for (const SegmentFiles& each : sealed) {
    if (each.first < kept_from) TW_TRY(Remove(each));
  }
  return Ok();
}

// On disk before the next, and its records before its checkpoints: a crash leaves the younger ones
// whole, and never records without a beginning. What a crash amid compressing left has records,
// too.
Result<void> SegmentKeeper::Remove(const SegmentFiles& segment) {
  const std::string unfinished = std::string(kPackedSuffix) + ".new";
  for (const std::string_view suffix : {kLinesSuffix, kPackedSuffix, std::string_view(unfinished),
                                        kHashesSuffix, kCheckpointsSuffix}) {
    const std::string name = SegmentFileName(segment.first, suffix);
    if (suffix == kHashesSuffix && ::fsync(directory_.get()) != 0) {
      return ErrnoError(errno, "sync audit directory");
    }
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoError(errno, "remove " + Quoted(name));
    }
  }
  return Ok();
}

}  // namespace tidewaiter::audit
