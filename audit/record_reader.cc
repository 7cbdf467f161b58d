#include "audit/record_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "audit/segment_name.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

constexpr std::uint64_t kWholeFile = std::numeric_limits<std::int64_t>::max();

Result<UniqueFd> OpenToRead(int directory, const std::string& name) {
  // O_NONBLOCK: opening a FIFO that someone left here must not hang.
  UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return ErrnoError(errno, "open audit log " + Quoted(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, "examine " + Quoted(name));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kFailedPrecondition, "open " + Quoted(name) + ": not a regular file");
  }
  return fd;
}

}  // namespace

RecordReader::RecordReader(UniqueFd directory, std::uint64_t from, std::optional<LogEnd> end)
    : directory_(std::move(directory)), from_(from), end_(end) {}

Result<std::optional<ReadRecord>> RecordReader::Next() {
  while (true) {
    if (lines_) {
      TW_ASSIGN(const std::optional<std::string_view> line, lines_->Next());
      if (line) {
        ReadRecord record{.line = *line, .header = ReadHeader(*line)};
        if (record.header) {
          if (record.header->index < from_ || (limit_ && record.header->index >= *limit_)) continue;
          if (end_ && record.header->index >= end_->next_index) return std::nullopt;
          from_ = record.header->index + 1;
        }
        return record;
      }
    }
    TW_ASSIGN(const std::optional<std::uint64_t> next, FindNext());
    if (!next) return std::nullopt;
    // Without an end the segment may have grown since its lines were asked for. Now that the next
    // is there, it grows no more.
    if (segment_ && !end_ && !segment_is_whole_) {
      segment_is_whole_ = true;
      FindLimit();
      continue;
    }
    TW_TRY(Open(*next));
  }
}

// The first time the segment that has record `from_`, then whichever comes next.
Result<std::optional<std::uint64_t>> RecordReader::FindNext() const {
  if (end_ && segment_ && *segment_ >= end_->segment) return std::nullopt;
  TW_ASSIGN(const std::vector<SegmentFiles> segments, ListSegments(directory_.get()));
  std::optional<std::uint64_t> next;
  for (const SegmentFiles& each : segments) {
    if (!each.HasRecords() || (end_ && each.first > end_->segment)) continue;
    if (segment_ ? each.first > *segment_ : each.first > from_) {
      if (!next) next = each.first;
      break;
    }
    if (!segment_) next = each.first;
  }
  return next;
}

Result<void> RecordReader::Open(std::uint64_t first) {
  plain_ = nullptr;
  auto fd = OpenToRead(directory_.get(), SegmentFileName(first, kLinesSuffix));
  if (fd) {
    auto source = std::make_unique<FileSource>(*std::move(fd), kWholeFile);
    plain_ = source.get();
    source_ = std::move(source);
  } else if (fd.error().code == ErrorCode::kNotFound) {
    TW_ASSIGN(UniqueFd packed, OpenToRead(directory_.get(), SegmentFileName(first, kPackedSuffix)));
    source_ = std::make_unique<ZstdSource>(std::move(packed));
  } else {
    return fd.error();
  }
  segment_ = first;
  segment_is_whole_ = false;
  limit_.reset();
  lines_.emplace(*source_);
  BoundByEnd();
  return Ok();
}

// What grows is read up to what is durable, and no byte of it before: what is behind may yet be
// taken back.
void RecordReader::BoundByEnd() {
  if (!end_ || segment_ != end_->segment) FindLimit();
  if (plain_ == nullptr || !end_) return;
  plain_->SetEnd(segment_ == end_->segment ? end_->size : kWholeFile);
}

void RecordReader::FindLimit() {
  if (!segment_ || limit_) return;
  const auto segments = ListSegments(directory_.get());
  if (!segments) return;  // the same fails where the next one is looked for
  for (const SegmentFiles& each : *segments) {
    if (!each.HasRecords() || each.first <= *segment_) continue;
    limit_ = each.first;
    return;
  }
}

void RecordReader::Extend(const LogEnd& end) {
  end_ = end;
  BoundByEnd();
}

}  // namespace tidewaiter::audit
