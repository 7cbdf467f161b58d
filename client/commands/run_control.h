// How a run is called off from this side: Ctrl-C once asks the broker to cancel and goes on
// listening, Ctrl-C again drops the call. Threads: all methods from any.
#pragma once

#include <mutex>
#include <stop_token>
#include <thread>

#include "base/unique_fd.h"
#include "client/run_session.h"

namespace tidewaiter::cli {

class RunPresenter;

class RunControl {
 public:
  // What a signal asked for.
  enum class Step { kNone, kCancelled, kAborted };

  RunControl();
  // Waits for a cancel request that is under way, at most 5 s.
  ~RunControl();
  RunControl(const RunControl&) = delete;
  RunControl& operator=(const RunControl&) = delete;

  // Both must stay until Detach. Before, a signal ends the process with kExitCancelled at once:
  // nothing has been asked of the broker yet.
  void Attach(client::RunSession& session, RunPresenter& presenter);
  void Detach();

  // SignalWatch's callback.
  void OnSignal();
  // Nobody reads the output any more, or an input cannot be sent: cancel, without a word.
  void CallOff();

  // Readable once the run has been aborted; valid as long as this object.
  [[nodiscard]] int abort_fd() const noexcept { return abort_.get(); }
  // The same as a token.
  [[nodiscard]] std::stop_token abort_token() const { return aborted_.get_token(); }
  [[nodiscard]] Step step() const;

 private:
  void CancelLocked();

  UniqueFd abort_;
  std::stop_source aborted_;
  mutable std::mutex mutex_;
  Step step_ = Step::kNone;
  client::RunSession* session_ = nullptr;
  RunPresenter* presenter_ = nullptr;
  // The request may wait for the broker; the next signal must not.
  std::thread cancel_request_;
};

}  // namespace tidewaiter::cli
