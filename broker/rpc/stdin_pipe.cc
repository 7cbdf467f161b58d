#include "broker/rpc/stdin_pipe.h"

#include <span>

namespace tidewaiter::rpc {

bool StdinPipe::Offer(std::string_view data) {
  const std::lock_guard lock(mutex_);
  if (detached_ || finished_) return true;
  waiting_.append(data);
  PumpLocked();
  paused_ = waiting_.size() - taken_ >= kMaxWaiting;
  return !paused_;
}

void StdinPipe::Finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  PumpLocked();
}

void StdinPipe::Attach(run::Attachment& attachment) {
  attachment.SetOnStdinRoom([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Pump();
  });
  {
    const std::lock_guard lock(mutex_);
    attachment_ = &attachment;
  }
  Pump();
}

void StdinPipe::Detach() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    attachment_ = nullptr;
    detached_ = true;
    waiting_ = {};
    taken_ = 0;
    wake = TakeWakeLocked();
  }
  if (wake) on_room_();
}

void StdinPipe::Pump() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    PumpLocked();
    wake = TakeWakeLocked();
  }
  if (wake) on_room_();
}

void StdinPipe::PumpLocked() {
  if (attachment_ == nullptr) return;
  while (taken_ < waiting_.size()) {
    const auto rest = std::as_bytes(std::span(waiting_)).subspan(taken_);
    const std::size_t took = attachment_->WriteStdin(rest);
    if (took == 0) break;
    taken_ += took;
  }
  if (taken_ == waiting_.size()) {
    waiting_ = {};  // gives the memory back: most runs never send again
    taken_ = 0;
    if (finished_ && !closed_) {
      closed_ = true;
      attachment_->CloseStdin();
    }
  } else if (taken_ >= kMaxWaiting / 2) {
    waiting_.erase(0, taken_);
    taken_ = 0;
  }
}

bool StdinPipe::TakeWakeLocked() {
  if (!paused_ || waiting_.size() - taken_ >= kMaxWaiting / 2) return false;
  paused_ = false;
  return true;
}

}  // namespace tidewaiter::rpc
