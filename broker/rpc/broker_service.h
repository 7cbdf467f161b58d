// The Broker service: translates, identifies, checks roles, and hands over to the core. Runs on
// gRPC's threads and never blocks them: what may wait for a disk or the engine goes to the worker.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker/rpc/detached_calls.h"
#include "broker/rpc/identity.h"
#include "broker/rpc/principal_places.h"
#include "broker/rpc/run_reactor.h"
#include "broker/rpc/run_stream.h"
#include "broker/rpc/worker.h"
#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "tidewaiter/v1/broker.grpc.pb.h"

namespace tidewaiter::rpc {

// Of one principal, at a time: Diagnose, and Explain where the engine has to be asked.
inline constexpr std::size_t kMaxBlockingCalls = 8;

// Reads the policy files anew for a caller.
using PolicyReloadDone = std::function<void(const v1::ReloadPolicyResponse&)>;
using PolicyReloader = std::function<bool(const run::Caller&, PolicyReloadDone done)>;

// Every method with messages that are parsed, but for Run (RunReactor).
using BrokerMethods = v1::Broker::WithRawCallbackMethod_Run<
    v1::Broker::WithCallbackMethod_Explain<v1::Broker::WithCallbackMethod_List<
        v1::Broker::WithCallbackMethod_Get<v1::Broker::WithCallbackMethod_Cancel<
            v1::Broker::WithCallbackMethod_Diagnose<v1::Broker::WithCallbackMethod_ReloadPolicy<
                v1::Broker::WithCallbackMethod_RotateAuditKey<v1::Broker::WithCallbackMethod_Start<
                    v1::Broker::WithCallbackMethod_Attach<v1::Broker::WithCallbackMethod_Wait<
                        v1::Broker::WithCallbackMethod_Fetch<v1::Broker::Service>>>>>>>>>>>>;

class BrokerService final : public BrokerMethods {
 public:
  struct Parts {
    // All borrowed; they must outlive the server.
    Identifier* identifier = nullptr;
    run::RunRegistry* registry = nullptr;
    const run::Environment* environment = nullptr;
    Worker* worker = nullptr;
    // What `doctor` shows; blocks, so it is called on the worker.
    std::function<v1::DiagnoseResponse(bool for_operator)> diagnose;
    // What `doctor --leaks` shows; likewise.
    std::function<Result<v1::DiagnoseResponse>()> find_leaks;
    // Does not block: `done` is told on another thread. False: two wait already.
    PolicyReloader reload_policy;
    // Blocks on the disk, so it is called on the worker.
    std::function<Result<v1::RotateAuditKeyResponse>(const run::Caller&)> rotate_audit_key;
    RunStream::Settings stream;  // its bound is every request's
  };
  explicit BrokerService(Parts parts)
      : parts_(std::move(parts)),
        detached_({.identifier = parts_.identifier,
                   .registry = parts_.registry,
                   .environment = parts_.environment,
                   .stall = parts_.stream.linger}) {}

  RunReactorBase* Run(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest* request,
                                 v1::ListResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                v1::GetResponse* response) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request, v1::CancelResponse*) override;
  grpc::ServerUnaryReactor* Diagnose(grpc::CallbackServerContext* context,
                                     const v1::DiagnoseRequest* request,
                                     v1::DiagnoseResponse* response) override;
  grpc::ServerUnaryReactor* ReloadPolicy(grpc::CallbackServerContext* context,
                                         const v1::ReloadPolicyRequest* request,
                                         v1::ReloadPolicyResponse* response) override;
  grpc::ServerUnaryReactor* RotateAuditKey(grpc::CallbackServerContext* context,
                                           const v1::RotateAuditKeyRequest* request,
                                           v1::RotateAuditKeyResponse* response) override;
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context,
                                  const v1::StartRequest* request,
                                  v1::StartResponse* response) override;
  grpc::ServerWriteReactor<v1::RunEvent>* Attach(grpc::CallbackServerContext* context,
                                                 const v1::AttachRequest* request) override;
  grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext* context,
                                 const v1::WaitRequest* request,
                                 v1::WaitResponse* response) override;
  grpc::ServerWriteReactor<v1::FetchResponse>* Fetch(grpc::CallbackServerContext* context,
                                                     const v1::FetchRequest* request) override;

  // Ends every call that waits for a detached run. Before the server is shut down.
  void Stop() noexcept { detached_.Stop(); }

 private:
  // Who calls, where the request is no larger than it may be.
  [[nodiscard]] tl::expected<Identity, grpc::Status> Identify(
      const grpc::CallbackServerContext& context, const google::protobuf::Message& request) const;
  grpc::Status ExplainNow(const Identity& identity, const v1::ExplainRequest& request,
                          v1::ExplainResponse& response) const;
  // On the worker: RESOURCE_EXHAUSTED (BUSY) where it, or the caller's share of it, is taken.
  grpc::ServerUnaryReactor* Offload(grpc::CallbackServerContext* context, const Identity& identity,
                                    std::function<grpc::Status()> call);

  const Parts parts_;
  PrincipalPlaces blocking_{kMaxBlockingCalls};
  DetachedCalls detached_;
};

}  // namespace tidewaiter::rpc
