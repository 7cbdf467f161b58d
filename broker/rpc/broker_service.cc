#include "broker/rpc/broker_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "broker/rpc/ended_stream.h"
#include "broker/rpc/error_details.h"
#include "broker/rpc/policy_reload_call.h"
#include "broker/rpc/run_reactor.h"
#include "broker/run/decide.h"
#include "policy/evaluate.h"
#include "wire/answers.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

tl::expected<Identity, grpc::Status> BrokerService::Identify(
    const grpc::CallbackServerContext& context, const google::protobuf::Message& request) const {
  auto identity = parts_.identifier->Identify(context.peer());
  if (!identity) return identity;
  if (auto refusal = parts_.stream.bound.Refusal(request)) return tl::unexpected(*refusal);
  return identity;
}

RunReactorBase* BrokerService::Run(grpc::CallbackServerContext* context) {
  auto identity = parts_.identifier->Identify(context->peer());
  if (!identity) return EndedStream<RunReactorBase>::With(identity.error());
  if (!identity->principal->roles.run) {
    return EndedStream<RunReactorBase>::With(RoleMissing(identity->caller.principal, "run"));
  }
  return RunReactor::Start(
      *context, *std::move(identity),
      [registry = parts_.registry](run::RunRequest request) -> Result<RunStream::Launched> {
        if (request.detached) return LaunchDetached(*registry, std::move(request));
        TW_ASSIGN(auto handle, registry->Launch(std::move(request)));
        return RunStream::Launched{.handle = std::move(handle), .existing = {}};
      },
      parts_.stream);
}

grpc::ServerUnaryReactor* BrokerService::Explain(grpc::CallbackServerContext* context,
                                                 const v1::ExplainRequest* request,
                                                 v1::ExplainResponse* response) {
  auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  // The engine is asked which runtimes it has and where its data is; nothing else of a decision can
  // block.
  const auto& mounts = request->spec().mounts();
  const bool asks_engine =
      !request->spec().runtime().empty() ||
      std::any_of(mounts.begin(), mounts.end(), [](const auto& mount) { return mount.has_bind(); });
  if (!asks_engine) return Answer(context, ExplainNow(*identity, *request, *response));
  const auto held = std::make_shared<const Identity>(*std::move(identity));
  return Offload(context, *held, [this, request, response, held] {
    return ExplainNow(*held, *request, *response);
  });
}

grpc::Status BrokerService::ExplainNow(const Identity& identity, const v1::ExplainRequest& request,
                                       v1::ExplainResponse& response) const {
  const policy::Principal& principal = *identity.principal;
  // By name, whatever the caller's own policy is.
  const bool named =
      !request.policy().empty() && (request.shadow() || request.policy() != principal.policy);
  const bool foreign = named || request.shadow();
  if (foreign && !principal.roles.operate) return RoleMissing(principal.name, "operate");
  if (!foreign && !principal.roles.run) return RoleMissing(principal.name, "run");
  Result<policy::RunSpec> spec = wire::FromProto(request.spec());
  if (!spec) return ToStatus(spec.error());
  std::shared_ptr<const policy::PolicySet> set = identity.policies;
  if (request.shadow()) set = parts_.environment->policies->Get()->shadow;
  if (set == nullptr) {
    return ToStatus(Fail(ErrorCode::kNotFound, "explain by the shadow policy: none is tried",
                         "POLICY_NOT_FOUND"));
  }
  const policy::HostPaths& host = *parts_.environment->host_paths;
  if (!named) {
    response = wire::ToExplainResponse(run::Decide(*parts_.environment, *set,
                                                   {.caller = identity.caller,
                                                    .spec = *std::move(spec),
                                                    .observer = nullptr,
                                                    .uploads = nullptr},
                                                   host));
    return grpc::Status::OK;
  }
  const policy::Policy* policy = set->Find(request.policy());
  if (policy == nullptr) {
    return ToStatus(Fail(
        ErrorCode::kNotFound,
        fmt::format("explain by policy {}: there is none of that name", Quoted(request.policy())),
        "POLICY_NOT_FOUND"));
  }
  response = wire::ToExplainResponse(policy::Evaluate(*policy, *spec, host), *policy);
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* BrokerService::List(grpc::CallbackServerContext* context,
                                              const v1::ListRequest* request,
                                              v1::ListResponse* response) {
  const auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  for (const run::RunInfo& info : parts_.registry->List(identity->viewer())) {
    *response->add_runs() = wire::ToProto(info);
  }
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* BrokerService::Get(grpc::CallbackServerContext* context,
                                             const v1::GetRequest* request,
                                             v1::GetResponse* response) {
  const auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  const Result<run::RunInfo> info =
      parts_.registry->Get(RunId(request->run_id()), identity->viewer());
  if (!info) return Answer(context, ToStatus(info.error()));
  *response->mutable_run() = wire::ToProto(*info);
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* BrokerService::Cancel(grpc::CallbackServerContext* context,
                                                const v1::CancelRequest* request,
                                                v1::CancelResponse*) {
  const auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  // Blocks on nothing: its record is queued. So it works where everything else is stuck.
  const Result<void> cancelled =
      parts_.registry->Cancel(RunId(request->run_id()), identity->viewer(), identity->caller);
  return Answer(context, cancelled ? grpc::Status::OK : ToStatus(cancelled.error()));
}

grpc::ServerUnaryReactor* BrokerService::Diagnose(grpc::CallbackServerContext* context,
                                                  const v1::DiagnoseRequest* request,
                                                  v1::DiagnoseResponse* response) {
  auto identified = Identify(*context, *request);
  if (!identified) return Answer(context, identified.error());
  const policy::Roles& roles = identified->principal->roles;
  if (!roles.run && !roles.operate) {
    return Answer(context, RoleMissing(identified->caller.principal, "run"));
  }
  if (request->leaks()) {
    if (!roles.operate)
      return Answer(context, RoleMissing(identified->caller.principal, "operate"));
    return Offload(context, *identified, [&find_leaks = parts_.find_leaks, response] {
      Result<v1::DiagnoseResponse> found = find_leaks();
      if (!found) return ToStatus(found.error());
      *response = *std::move(found);
      return grpc::Status::OK;
    });
  }
  return Offload(context, *identified,
                 [&diagnose = parts_.diagnose, for_operator = roles.operate, response] {
                   *response = diagnose(for_operator);
                   return grpc::Status::OK;
                 });
}

grpc::ServerUnaryReactor* BrokerService::ReloadPolicy(grpc::CallbackServerContext* context,
                                                      const v1::ReloadPolicyRequest* request,
                                                      v1::ReloadPolicyResponse* response) {
  auto identified = Identify(*context, *request);
  if (!identified) return Answer(context, identified.error());
  const run::Caller& caller = identified->caller;
  if (!identified->principal->roles.operate) {
    return Answer(context, RoleMissing(caller.principal, "operate"));
  }
  const std::shared_ptr<PolicyReloadCall> call = PolicyReloadCall::Make(*response);
  const bool taken = parts_.reload_policy(
      caller, [call](const v1::ReloadPolicyResponse& answer) { call->Answer(answer); });
  if (!taken) {
    call->End(ToStatus(Fail(ErrorCode::kResourceExhausted,
                            "reload the policy: one reload is under way and another waits, which "
                            "will see what is on the disk now",
                            "BUSY")));
  }
  return call.get();
}

grpc::ServerUnaryReactor* BrokerService::RotateAuditKey(grpc::CallbackServerContext* context,
                                                        const v1::RotateAuditKeyRequest* request,
                                                        v1::RotateAuditKeyResponse* response) {
  auto identified = Identify(*context, *request);
  if (!identified) return Answer(context, identified.error());
  if (!identified->principal->roles.operate) {
    return Answer(context, RoleMissing(identified->caller.principal, "operate"));
  }
  return Offload(context, *identified,
                 [&rotate = parts_.rotate_audit_key, caller = identified->caller, response] {
                   Result<v1::RotateAuditKeyResponse> done = rotate(caller);
                   if (!done) return ToStatus(done.error());
                   *response = *std::move(done);
                   return grpc::Status::OK;
                 });
}

grpc::ServerUnaryReactor* BrokerService::Offload(grpc::CallbackServerContext* context,
                                                 const Identity& identity,
                                                 std::function<grpc::Status()> call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  std::shared_ptr<void> place = blocking_.Take(identity.caller.principal);
  const bool taken = place && parts_.worker->Submit([reactor, place, call = std::move(call)] {
    reactor->Finish(call());
  });
  if (!taken) {
    reactor->Finish(ToStatus(Fail(ErrorCode::kResourceExhausted,
                                  "serve a call: too many of this kind wait already", "BUSY")));
  }
  return reactor;
}

grpc::ServerUnaryReactor* BrokerService::Start(grpc::CallbackServerContext* context,
                                               const v1::StartRequest* request,
                                               v1::StartResponse* response) {
  const auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  if (!identity->principal->roles.run) {
    return Answer(context, RoleMissing(identity->caller.principal, "run"));
  }
  return detached_.Start(*context, *identity, *request, *response);
}

grpc::ServerWriteReactor<v1::RunEvent>* BrokerService::Attach(grpc::CallbackServerContext* context,
                                                              const v1::AttachRequest* request) {
  auto identity = Identify(*context, *request);
  if (!identity) {
    return EndedStream<grpc::ServerWriteReactor<v1::RunEvent>>::With(identity.error());
  }
  return detached_.Attach(*context, *std::move(identity), *request);
}

grpc::ServerUnaryReactor* BrokerService::Wait(grpc::CallbackServerContext* context,
                                              const v1::WaitRequest* request,
                                              v1::WaitResponse* response) {
  auto identity = Identify(*context, *request);
  if (!identity) return Answer(context, identity.error());
  return detached_.Wait(*std::move(identity), *request, *response);
}

grpc::ServerWriteReactor<v1::FetchResponse>* BrokerService::Fetch(
    grpc::CallbackServerContext* context, const v1::FetchRequest* request) {
  auto identity = Identify(*context, *request);
  if (!identity) {
    return EndedStream<grpc::ServerWriteReactor<v1::FetchResponse>>::With(identity.error());
  }
  return detached_.Fetch(*context, *std::move(identity), *request);
}

}  // namespace tidewaiter::rpc
