#include "broker/rpc/policy_reload_call.h"

#include <utility>

namespace tidewaiter::rpc {

std::shared_ptr<PolicyReloadCall> PolicyReloadCall::Make(v1::ReloadPolicyResponse& response) {
  auto call = std::make_shared<PolicyReloadCall>(response);
  call->self_ = call;
  return call;
}

void PolicyReloadCall::Answer(const v1::ReloadPolicyResponse& response) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  response_ = response;
  Finish(grpc::Status::OK);
}

void PolicyReloadCall::End(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(ended_, true)) Finish(status);
}

void PolicyReloadCall::OnCancel() noexcept {
  End(grpc::Status(grpc::StatusCode::CANCELLED, "the call was cancelled; the reload goes on"));
}

void PolicyReloadCall::OnDone() noexcept {
  const std::shared_ptr<PolicyReloadCall> last = std::move(self_);
}

}  // namespace tidewaiter::rpc
