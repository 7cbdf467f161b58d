// The way of a client's stdin to the container: holds what the container has not taken yet, within
// a bound, and tells when there is room for more. Thread: any. Never blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/run/backend.h"

namespace tidewaiter::rpc {

class StdinPipe : public std::enable_shared_from_this<StdinPipe> {
 public:
  // More is read from the client while fewer bytes than this wait; at most one message more.
  static constexpr std::size_t kMaxWaiting = std::size_t{1} << 20U;

  // `on_room` is called, on any thread and without a lock held, when Offer may be called again
  // after it returned false. It must not hold a reference to this object's owner.
  explicit StdinPipe(std::function<void()> on_room) : on_room_(std::move(on_room)) {}

  // Takes all of `data`. False: wait for on_room before the next one.
  bool Offer(std::string_view data);
  // Half-closes the container's stdin once everything has been taken.
  void Finish();

  // The container's side comes and goes. What waits when it goes is dropped, as is what comes
  // later. When Detach has returned, `attachment` is not in use.
  void Attach(run::Attachment& attachment);
  void Detach();

 private:
  void Pump();
  void PumpLocked();
  [[nodiscard]] bool TakeWakeLocked();

  const std::function<void()> on_room_;
  std::mutex mutex_;
  // All guarded by mutex_.
  run::Attachment* attachment_ = nullptr;
  std::string waiting_;
  std::size_t taken_ = 0;  // bytes of `waiting_` that the container has
  bool finished_ = false;
  bool closed_ = false;    // the container's stdin has been half-closed
  bool detached_ = false;  // for good
  bool paused_ = false;    // Offer returned false
};

}  // namespace tidewaiter::rpc
