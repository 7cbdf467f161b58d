#include "broker/rpc/upload_pipe.h"

#include <chrono>
#include <utility>

namespace tidewaiter::rpc {
namespace {

constexpr std::chrono::milliseconds kVanishing(500);

Error Stopped() {
  return Fail(ErrorCode::kCancelled, "take an input: the run was stopped");
}

}  // namespace

bool UploadPipe::Offer(run::UploadPiece piece) {
  bool go_on = false;
  {
    auto state = state_.Lock();
    state->cost += piece.data.size() + kPieceOverhead;
    state->waiting.push_back(std::move(piece));
    go_on = state->cost < kMaxWaiting;
    state->paused = !go_on;
  }
  changed_.notify_one();
  return go_on;
}

void UploadPipe::Finish() {
  state_.Lock()->finished = true;
  changed_.notify_one();
}

Result<run::UploadPiece> UploadPipe::Next(const run::Patience& patience) {
  run::UploadPiece piece;
  bool wake = false;
  {
    auto state = state_.Lock();
    const auto ready = [&] { return !state->waiting.empty() || state->finished; };
    if (!state.Wait(changed_, patience.stop, patience.deadline, ready)) {
      if (patience.stop.stop_requested()) return Stopped();
      return Fail(ErrorCode::kDeadlineExceeded, "take an input: nothing came");
    }
    if (state->waiting.empty()) {
      // A client that vanishes closes its side too, and which of the two is heard first is chance.
      const Deadline soon = patience.deadline.Sooner(Deadline::After(kVanishing));
      state.Wait(changed_, patience.stop, soon, [] { return false; });
      if (patience.stop.stop_requested()) return Stopped();
      return Fail(ErrorCode::kFailedPrecondition,
                  "take an input: the client closed its side before all of them had come",
                  "INPUT_MISSING");
    }
    piece = std::move(state->waiting.front());
    state->waiting.pop_front();
    state->cost -= piece.data.size() + kPieceOverhead;
    wake = state->paused && state->cost <= kMaxWaiting / 2;
    if (wake) state->paused = false;
  }
  if (wake) on_room_();
  return piece;
}

}  // namespace tidewaiter::rpc
