#include "broker/run/log_intake.h"

#include <algorithm>
#include <utility>

namespace tidewaiter::run {
namespace {

using Clock = Deadline::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kShortPause(1000);
constexpr milliseconds kLongPause(8000);
constexpr milliseconds kNow(5000);
// A reading costs the engine its whole log: it is to be a small part of its time.
constexpr int kRest = 10;

std::int64_t Room(const LogPosition& has, std::int64_t limit) {
  const auto held = static_cast<std::int64_t>(has.stdout_bytes + has.stderr_bytes);
  return std::max<std::int64_t>(limit - held, 0);
}

}  // namespace

LogIntake::LogIntake(Container& container, OutputSink& sink, LogPosition has,
                     std::int64_t limit_bytes, milliseconds stall)
    : container_(container),
      stall_(stall),
      limit_(static_cast<std::uint64_t>(limit_bytes)),
      had_(has.stdout_bytes + has.stderr_bytes),
      position_(std::move(has)),
      pause_(kShortPause),
      output_(sink, Room(position_, limit_bytes)) {
  if (container_.FollowsLog()) {
    next_read_ = Deadline::Never();
    followed_ = container_.FollowLog(position_, output_);
    return;
  }
  output_.SetResume([this] {
    *room_.Lock() = true;
    changed_.notify_all();
  });
}

LogIntake::~LogIntake() {
  followed_.reset();
  output_.SetResume({});
}

bool LogIntake::Full() const {
  const LogPosition passed = output_.passed();
  const auto unread = static_cast<std::uint64_t>(output_.dropped_unread());
  return had_ + passed.stdout_bytes + passed.stderr_bytes + unread >= limit_;
}

Result<bool> LogIntake::Read(const Patience& patience) {
  const Clock::time_point began = Clock::now();
  const std::uint64_t had = Total();
  Result<bool> read = container_.ReadLog(
      position_,
      [&](OutputStream stream, std::span<const std::byte> data) {
        return Take(stream, data, patience);
      },
      patience);
  pause_ = Total() > had ? kShortPause : std::min(2 * pause_, kLongPause);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  next_read_ = Deadline::After(std::max(pause_, kRest * took));
  return read;
}

void LogIntake::ReadNow(const std::stop_token& stop, Deadline limit) {
  if (!next_read_.Passed()) return;
  static_cast<void>(Read({.stop = stop, .deadline = Deadline::After(kNow).Sooner(limit)}));
}

Result<void> LogIntake::ReadRest(const std::stop_token& stop) {
  output_.OnContainerEnd();
  if (followed_) return AwaitFollowed(stop);
  while (true) {
    const std::uint64_t had = Total();
    const auto whole = Read({.stop = stop, .deadline = Deadline::After(stall_)});
    if (whole && *whole) return Ok();
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the run was stopped");
    if (!whole && Total() == had) return whole.error();
    if (whole) output_.DropRest();  // a disk that takes nothing holds nobody up for ever
  }
}

Result<void> LogIntake::AwaitFollowed(const std::stop_token& stop) {
  for (;;) {
    if (const auto ended = followed_->ended().Wait(stop, output_.StallsAt(stall_))) {
      return *ended ? Result<void>(**ended) : Ok();
    }
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the run was stopped");
    if (!output_.StallsAt(stall_).Passed()) continue;
    if (!output_.ClientFull()) {
      return Fail(ErrorCode::kDeadlineExceeded, "its end has not come in time");
    }
    output_.DropRest();  // a disk that takes nothing holds nobody up for ever
  }
}

bool LogIntake::AwaitRoom(const Patience& patience) {
  auto room = room_.Lock();
  return room.Wait(changed_, patience.stop, patience.deadline.Sooner(Deadline::After(stall_)),
                   [&] { return *room; });
}

bool LogIntake::Take(OutputStream stream, std::span<const std::byte> data,
                     const Patience& patience) {
  *room_.Lock() = false;  // before the question: it may come back at once
  if (output_.Write(stream, data)) return true;
  return AwaitRoom(patience);
}

}  // namespace tidewaiter::run
