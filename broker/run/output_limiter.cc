#include "broker/run/output_limiter.h"

#include <algorithm>
#include <utility>

namespace tidewaiter::run {

OutputLimiter::OutputLimiter(OutputSink& client, std::int64_t limit_bytes)
    : client_(client), room_(limit_bytes), last_progress_(Deadline::Clock::now()) {}

bool OutputLimiter::Write(OutputStream stream, std::span<const std::byte> data) {
  Progress();
  const auto size = static_cast<std::int64_t>(data.size());
  const std::int64_t passing = std::min(size, room_);
  over_limit_ += size - passing;
  room_ -= passing;
  if (passing == 0) return true;
  if (dropping_) {
    unread_ += passing;
    return true;
  }
  passed_[stream == OutputStream::kStdout ? 0 : 1] += static_cast<std::uint64_t>(passing);
  // Before the call, since the client may make room again before it has returned.
  client_full_ = true;
  const bool more = client_.Write(stream, data.first(static_cast<std::size_t>(passing)));
  if (more) client_full_ = false;
  // Past a DropRest nobody would call `resume` for this write.
  return more || dropping_;
}

void OutputLimiter::SetResume(std::function<void()> resume) {
  if (!resume) client_.SetResume({});
  const bool attach = static_cast<bool>(resume);
  {
    const std::lock_guard lock(resume_mutex_);
    resume_ = std::move(resume);
  }
  if (attach) client_.SetResume([this] { ClientHasRoom(); });
}

Deadline OutputLimiter::StallsAt(Deadline::Clock::duration stall) const {
  return Deadline::At(last_progress_.load() + stall);
}

void OutputLimiter::DropRest() {
  dropping_ = true;
  ClientHasRoom();
}

void OutputLimiter::ClientHasRoom() {
  client_full_ = false;
  Progress();
  const std::lock_guard lock(resume_mutex_);
  if (resume_) resume_();
}

}  // namespace tidewaiter::run
