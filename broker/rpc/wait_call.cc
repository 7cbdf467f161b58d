#include "broker/rpc/wait_call.h"

#include <utility>

#include "broker/rpc/error_details.h"
#include "wire/answers.h"

namespace tidewaiter::rpc {

grpc::ServerUnaryReactor* WaitCall::Begin(Parts parts, v1::WaitResponse& response,
                                          const std::stop_token& stop_all) {
  auto call = std::make_shared<WaitCall>(std::move(parts), response);
  call->self_ = call;
  call->parts_->run->Watch(call, run::DetachedRun::Watcher::Of::kEnd);
  call->on_stop_all_.emplace(stop_all, End{call});
  call->OnChange();  // it may have ended before it was watched
  return call.get();
}

grpc::ServerUnaryReactor* WaitCall::Refuse(v1::WaitResponse& response, const grpc::Status& status) {
  auto call = std::make_shared<WaitCall>(std::nullopt, response);
  call->self_ = call;
  call->Answer(status);
  return call.get();
}

void WaitCall::OnChange() noexcept {
  if (!parts_->run->Done()) return;
  const run::DetachedRun::State state = parts_->run->Get();
  if (!parts_->may_read()) {
    return Answer(
        ToStatus(Fail(ErrorCode::kPermissionDenied,
                      "wait for the run: the caller's role was withdrawn", "ROLE_MISSING")));
  }
  if (!state.outcome) {
    return Answer(ToStatus(state.refused.value_or(
        Fail(ErrorCode::kInternal, "wait for the run: it ended without an outcome"))));
  }
  Answer(grpc::Status::OK, &state);
}

void WaitCall::OnCancel() noexcept {
  Answer(grpc::Status(grpc::StatusCode::CANCELLED, "the call was cancelled"));
}

void WaitCall::OnDone() noexcept {
  on_stop_all_.reset();
  const std::shared_ptr<WaitCall> last = std::move(self_);
}

void WaitCall::End::operator()() const noexcept {
  if (const auto waiting = call.lock()) {
    waiting->Answer(ToStatus(Fail(ErrorCode::kUnavailable,
                                  "wait for the run: the broker is stopping", "SHUTTING_DOWN")));
  }
}

void WaitCall::Answer(const grpc::Status& status, const run::DetachedRun::State* ended) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(answered_, true)) return;
    if (ended != nullptr) {
      *response_.mutable_result() = wire::ToProto(*ended->outcome);
      *response_.mutable_receipt() = wire::ToProto(ended->receipt.value_or(run::Receipt()));
    }
  }
  Finish(status);
}

}  // namespace tidewaiter::rpc
