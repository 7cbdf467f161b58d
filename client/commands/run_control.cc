#include "client/commands/run_control.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "client/commands/run_presenter.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {

RunControl::RunControl() : abort_(::eventfd(0, EFD_CLOEXEC)) {}

RunControl::~RunControl() {
  if (cancel_request_.joinable()) cancel_request_.join();
}

void RunControl::Attach(client::RunSession& session, RunPresenter& presenter) {
  const std::lock_guard lock(mutex_);
  session_ = &session;
  presenter_ = &presenter;
}

void RunControl::Detach() {
  std::thread request;
  {
    const std::lock_guard lock(mutex_);
    session_ = nullptr;
    presenter_ = nullptr;
    request = std::move(cancel_request_);
  }
  if (request.joinable()) request.join();
}

void RunControl::OnSignal() {
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr) std::_Exit(client::kExitCancelled);
  if (step_ == Step::kNone) {
    presenter_->AwaitReceipt();
    presenter_->Remark("cancelling; Ctrl-C again stops waiting for the receipt");
    CancelLocked();
  } else if (step_ == Step::kCancelled) {
    step_ = Step::kAborted;
    presenter_->Remark("no longer waiting; the broker goes on cleaning up");
    ::eventfd_write(abort_.get(), 1);
    aborted_.request_stop();
    session_->Abort();
  }
}

void RunControl::CallOff() {
  const std::lock_guard lock(mutex_);
  if (step_ == Step::kNone && session_ != nullptr) CancelLocked();
}

RunControl::Step RunControl::step() const {
  const std::lock_guard lock(mutex_);
  return step_;
}

void RunControl::CancelLocked() {
  step_ = Step::kCancelled;
  cancel_request_ = std::thread([session = session_, presenter = presenter_] {
    const Result<void> cancelled = session->RequestCancel();
    // NOT_FOUND: the run has ended, and its events say how. Anything else must not leave it
    // running: a broken stream ends it too, without the receipt.
    if (cancelled || cancelled.error().code == ErrorCode::kNotFound) return;
    presenter->Remark(cancelled.error().message + "; hanging up, which cancels the run");
    session->Abort();
  });
}

}  // namespace tidewaiter::cli
