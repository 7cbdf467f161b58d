#include "audit/tail.h"

#include <algorithm>
#include <utility>

namespace tidewaiter::audit {

Tail::Tail(Log& log, const Filter& filter, Log::View view, std::uint64_t from)
    : log_(&log),
      matcher_(filter),
      end_(view.end),
      reader_(std::move(view.directory), from, view.end) {}

Result<Tail> Tail::Open(Log& log, const Filter& filter, std::uint64_t from) {
  TW_ASSIGN(Log::View view, log.Look());
  return Tail(log, filter, std::move(view), from);
}

Result<std::optional<Tail::Record>> Tail::Next(const std::stop_token& stop, Deadline deadline) {
  while (!stop.stop_requested()) {
    TW_ASSIGN(const std::optional<ReadRecord> record, reader_.Next());
    if (record) {
      if (record->header && matcher_.Matches(*record->header, record->line)) {
        return Record{.line = std::string(record->line), .index = record->header->index};
      }
      continue;
    }
    // The reader can be behind: a segment that was moved away has taken its last records along.
    const std::uint64_t seen = std::max(reader_.next_index(), end_.next_index);
    if (!log_->WaitBeyond(seen, stop, deadline)) break;
    end_ = log_->End();
    reader_.Extend(end_);
  }
  return std::nullopt;
}

}  // namespace tidewaiter::audit
