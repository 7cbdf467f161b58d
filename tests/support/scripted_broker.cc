#include "tests/support/scripted_broker.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace tidewaiter::testing {

class ScriptedBroker::Service final : public v1::Broker::Service {
 public:
  Service(Script script, std::atomic<int>& cancels)
      : script_(std::move(script)), cancels_(cancels) {}

  grpc::Status Run(grpc::ServerContext*, RunStream* stream) override { return script_(*stream); }
  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest*,
                      v1::CancelResponse*) override {
    ++cancels_;
    return grpc::Status::OK;
  }
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                       v1::ExplainResponse* response) override {
    const std::lock_guard lock(mutex_);
    backend_ = request->spec().backend();
    *response = answer_;
    return grpc::Status::OK;
  }

  void Answer(const v1::ExplainResponse& answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
  }
  std::string backend() const {
    const std::lock_guard lock(mutex_);
    return backend_;
  }

 private:
  mutable std::mutex mutex_;
  v1::ExplainResponse answer_;
  std::string backend_;
  const Script script_;
  std::atomic<int>& cancels_;
};

ScriptedBroker::ScriptedBroker(Script script)
    : service_(std::make_unique<Service>(std::move(script), cancels_)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path(), grpc::InsecureServerCredentials());
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (!server_) std::abort();
}

ScriptedBroker::~ScriptedBroker() {
  server_->Shutdown(std::chrono::system_clock::now());
}

void ScriptedBroker::AnswerExplain(const v1::ExplainResponse& answer) {
  service_->Answer(answer);
}

std::string ScriptedBroker::ExplainedBackend() const {
  return service_->backend();
}

v1::RunEvent AdmittedEvent(std::int64_t output_bytes) {
  v1::RunEvent event;
  event.mutable_admitted()->set_run_id(std::string(26, 'a'));
  event.mutable_admitted()->mutable_effective()->mutable_limits()->set_output_bytes(output_bytes);
  return event;
}

v1::RunEvent ExitedEvent(int exit_code) {
  v1::RunEvent event;
  event.mutable_result()->set_outcome(v1::RunResult::EXITED);
  event.mutable_result()->set_exit_code(exit_code);
  return event;
}

}  // namespace tidewaiter::testing
