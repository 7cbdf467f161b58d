#include "broker/rpc/start_call.h"

#include <algorithm>
#include <utility>

#include "broker/rpc/error_details.h"
#include "broker/rpc/request_digest.h"
#include "wire/run_spec.h"

namespace tidewaiter::rpc {

grpc::ServerUnaryReactor* StartCall::Begin(grpc::ServerUnaryReactor& reactor,
                                           v1::StartResponse& response, const v1::RunSpec& spec,
                                           const run::Caller& caller,
                                           const RunStream::Launcher& launcher) {
  const auto call = std::make_shared<StartCall>(reactor, response);
  auto plain = wire::FromProto(spec);
  if (!plain) {
    call->Answer(ToStatus(plain.error()));
    return &reactor;
  }
  const auto& mounts = spec.mounts();
  if (std::any_of(mounts.begin(), mounts.end(), [](const auto& m) { return m.has_input(); })) {
    call->Answer(ToStatus(Fail(ErrorCode::kInvalidArgument,
                               "start the run: its inputs need a stream; use Run with start.detach",
                               "INPUTS_NEED_A_STREAM")));
    return &reactor;
  }
  auto launched = launcher({.caller = caller,
                            .spec = *std::move(plain),
                            .sha256 = RequestDigest(spec),
                            .with_stdin = false,
                            .observer = call,
                            .uploads = nullptr,
                            .detached = true});
  if (!launched) {
    call->Answer(ToStatus(launched.error()));
  } else if (launched->existing) {
    call->Answer(grpc::Status::OK, [&](v1::StartResponse& answer) {
      answer.set_run_id(launched->existing->value());
      answer.set_existing(true);
    });
  }
  return &reactor;
}

template <typename Fill>
void StartCall::Answer(const grpc::Status& status, Fill fill) {
  const std::lock_guard lock(mutex_);
  if (reactor_ == nullptr) return;
  fill(response_);
  std::exchange(reactor_, nullptr)->Finish(status);
}

void StartCall::Answer(const grpc::Status& status) {
  Answer(status, [](v1::StartResponse&) {});
}

void StartCall::OnDenied(const std::vector<policy::Violation>& violations,
                         std::string_view /*policy_name*/, std::string_view /*policy_hash*/) {
  Answer(DenialStatus(violations));
}

void StartCall::OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) {
  Answer(grpc::Status::OK, [&](v1::StartResponse& answer) {
    answer.set_run_id(run_id.value());
    *answer.mutable_effective() = wire::ToProto(admitted.effective());
    answer.set_policy(admitted.policy_name());
    answer.set_policy_hash(admitted.policy_hash());
  });
}

void StartCall::OnRefused(const Error& error) {
  Answer(ToStatus(error));
}

void StartCall::OnDone() {
  Answer(ToStatus(Fail(ErrorCode::kInternal, "start the run: it ended without an answer")));
}

}  // namespace tidewaiter::rpc
