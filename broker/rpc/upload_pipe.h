// The way of a client's archives to its run: holds what the run has not taken yet, within a bound,
// and tells when there is room for more. The run's thread takes, any other gives.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>

#include "base/guarded.h"
#include "broker/run/upload_source.h"

namespace tidewaiter::rpc {

class UploadPipe final : public run::UploadSource {
 public:
  // More is read from the client while fewer bytes than this wait; at most one message more.
  static constexpr std::size_t kMaxWaiting = std::size_t{1} << 20U;
  // Charged for every piece on top of its bytes, so that empty ones are no way around the bound.
  static constexpr std::size_t kPieceOverhead = 256;

  // `on_room` is called on the run's thread, without a lock held, when Offer may be called again
  // after it returned false. It must not hold a reference to this object's owner.
  explicit UploadPipe(std::function<void()> on_room) : on_room_(std::move(on_room)) {}

  // Takes it whatever its size. False: wait for on_room before the next one.
  bool Offer(run::UploadPiece piece);
  // Nothing more will come.
  void Finish();

  Result<run::UploadPiece> Next(const run::Patience& patience) override;

 private:
  struct State {
    std::deque<run::UploadPiece> waiting;
    std::size_t cost = 0;
    bool finished = false;
    bool paused = false;  // Offer returned false
  };

  const std::function<void()> on_room_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
};

}  // namespace tidewaiter::rpc
