// One call of Broker.Start: the observer of a detached run until it is admitted or refused.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>

#include "broker/rpc/run_stream.h"
#include "broker/run/run_observer.h"
#include "broker/run/run_request.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

class StartCall final : public run::RunObserver {
 public:
  // Answers by `reactor` and `response`, which it returns and leaves alone once it has.
  static grpc::ServerUnaryReactor* Begin(grpc::ServerUnaryReactor& reactor,
                                         v1::StartResponse& response, const v1::RunSpec& spec,
                                         const run::Caller& caller,
                                         const RunStream::Launcher& launcher);
  StartCall(grpc::ServerUnaryReactor& reactor, v1::StartResponse& response)
      : reactor_(&reactor), response_(response) {}

  bool Write(run::OutputStream, std::span<const std::byte>) override { return true; }
  void SetResume(std::function<void()>) override {}
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
  void OnDenied(const std::vector<policy::Violation>& violations, std::string_view policy_name,
                std::string_view policy_hash) override;
  void OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) override;
  void OnQueued(std::uint32_t) override {}
  void OnStarted(const run::ResolvedImage&, const std::string&) override {}
  void OnTruncated(std::int64_t, std::string_view) override {}
  Result<bool> OnOutputPiece(const std::string&, std::string_view) override { return true; }
  Result<void> OnOutputEnd(const std::string&, const run::OutputSummary&,
                           std::string_view) override {
    return Ok();
  }
  void OnOutcome(const run::Outcome&) override {}
  void OnReceipt(const run::Receipt&) override {}
  void OnRefused(const Error& error) override;
  void OnAttached(run::Attachment&) override {}
  Loss OnAttachmentClosing() override { return {}; }
  void OnDone() override;

 private:
  // The first answer counts. `fill`: the response, where it is good.
  template <typename Fill>
  void Answer(const grpc::Status& status, Fill fill);
  void Answer(const grpc::Status& status);

  std::mutex mutex_;
  grpc::ServerUnaryReactor* reactor_;  // null once it has answered
  v1::StartResponse& response_;
};

}  // namespace tidewaiter::rpc
