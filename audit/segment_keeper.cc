#include "audit/segment_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "audit/record.h"
#include "audit/segment_packer.h"
#include "base/deadline.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

// For the record of a removal: without it nothing is removed, and the next round tries again.
constexpr std::chrono::seconds kRecordPatience(30);

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
  TW_TRY(RemoveOld(segments, growing));
  if (!settings_.compress) return Ok();
  for (const SegmentFiles& each : segments) {
    if (!each.lines || IsOld(each)) continue;
    const Result<void> packed =
        PackSegment(directory_.get(), each.first, [&stop] { return stop.stop_requested(); });
    if (!packed && !stop.stop_requested()) return packed;
    if (stop.stop_requested()) return Ok();
  }
  return Ok();
}

// By the last write to its records, which compressing them keeps.
bool SegmentKeeper::IsOld(const SegmentFiles& segment) const {
  if (settings_.retention.count() == 0) return false;
  struct stat status {};
  const std::string name =
      SegmentFileName(segment.first, segment.lines ? kLinesSuffix : kPackedSuffix);
  // What was begun and is not finished.
  if (::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
  const auto written = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
  return std::chrono::system_clock::now() - written > settings_.retention;
}

// From the oldest on, without a gap: what is left must go on from one checkpoint.
Result<void> SegmentKeeper::RemoveOld(const std::vector<SegmentFiles>& sealed,
                                      std::uint64_t growing) {
  const auto end = std::find_if_not(sealed.begin(), sealed.end(),
                                    [this](const SegmentFiles& each) { return IsOld(each); });
  if (end == sealed.begin()) return Ok();
  const std::uint64_t kept_from = end == sealed.end() ? growing : end->first;
  Record removed;
  removed.type = RecordType::kAuditRemoved;
  removed.log.emplace().cause =
      fmt::format("kept for {} hours",
                  std::chrono::duration_cast<std::chrono::hours>(settings_.retention).count());
  removed.log->removed_to = static_cast<std::int64_t>(kept_from);
  if (const auto recorded = log_.Append(removed, Deadline::After(kRecordPatience)); !recorded) {
    return recorded.error();
  }
  for (auto each = sealed.begin(); each != end; ++each) TW_TRY(Remove(*each));
  if (::fsync(directory_.get()) != 0) return ErrnoError(errno, "sync audit directory");
  return Ok();
}

// The checkpoints last: until then the segment is one whose records are gone.
Result<void> SegmentKeeper::Remove(const SegmentFiles& segment) {
  for (const std::string_view suffix :
       {kLinesSuffix, kPackedSuffix, kHashesSuffix, kCheckpointsSuffix}) {
    const std::string name = SegmentFileName(segment.first, suffix);
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoError(errno, "remove " + Quoted(name));
    }
  }
  return Ok();
}

}  // namespace tidewaiter::audit
