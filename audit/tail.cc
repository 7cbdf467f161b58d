#include "audit/tail.h"

#include <sys/stat.h>

#include <utility>

namespace tidewaiter::audit {

Tail::Tail(Log& log, const Filter& filter, DurableView view, bool from_start)
    : log_(&log),
      matcher_(filter),
      view_(std::move(view)),
      lines_(view_.fd.get(), from_start ? 0 : view_.size, view_.size),
      next_index_(from_start ? 0 : view_.next_index) {}

Result<Tail> Tail::Open(Log& log, const Filter& filter, bool from_start) {
  TW_ASSIGN(DurableView view, log.View());
  return Tail(log, filter, std::move(view), from_start);
}

Result<std::optional<std::string>> Tail::Next(const std::stop_token& stop, Deadline deadline) {
  while (!stop.stop_requested()) {
    TW_ASSIGN(const std::optional<std::string_view> line, lines_.Next());
    if (line) {
      const std::optional<RecordHeader> header = ReadHeader(*line);
      if (!header || header->index < next_index_) continue;
      next_index_ = header->index + 1;
      if (matcher_.Matches(*header)) return std::string(*line);
      continue;
    }
    if (next_file_) {
      lines_ = LineReader(next_file_->fd.get(), 0, next_file_->size);
      view_ = *std::exchange(next_file_, std::nullopt);
      continue;
    }
    if (!log_->WaitBeyond(view_.next_index, view_.generation, stop, deadline)) break;
    Result<DurableView> now = log_->View();
    if (!now && now.error().reason == "AUDIT_UNAVAILABLE") continue;  // replaced just now
    if (!now) return now.error();
    if (now->generation == view_.generation) {
      lines_.Extend(now->size);
      view_.size = now->size;
      view_.next_index = now->next_index;
    } else {
      // What became durable in the old file since the last look comes first.
      struct stat old {};
      if (::fstat(view_.fd.get(), &old) == 0) {
        lines_.Extend(static_cast<std::uint64_t>(old.st_size));
      }
      next_file_ = *std::move(now);
    }
  }
  return std::nullopt;
}

}  // namespace tidewaiter::audit
