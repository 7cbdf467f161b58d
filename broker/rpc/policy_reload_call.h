// One call of ReloadPolicy. Its answer comes when a disk has been read, which may be late: the call
// ends without it where it is cancelled, as it is when the server shuts down.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>

#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

class PolicyReloadCall final : public grpc::ServerUnaryReactor {
 public:
  // Owns itself until gRPC is done with it; `response` is gRPC's.
  static std::shared_ptr<PolicyReloadCall> Make(v1::ReloadPolicyResponse& response);
  explicit PolicyReloadCall(v1::ReloadPolicyResponse& response) : response_(response) {}

  // Any thread; without effect where the call has ended.
  void Answer(const v1::ReloadPolicyResponse& response);
  void End(const grpc::Status& status);

  void OnCancel() noexcept override;
  void OnDone() noexcept override;

 private:
  std::mutex mutex_;
  bool ended_ = false;  // guarded by mutex_; response_ is not touched any more then
  v1::ReloadPolicyResponse& response_;
  std::shared_ptr<PolicyReloadCall> self_;
};

}  // namespace tidewaiter::rpc
