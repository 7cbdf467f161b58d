// A broker on a Unix socket whose Run does what a script says: for tests of what the client sends
// and of what it makes of events that no real broker would send it.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "tests/support/scratch_folder.h"
#include "tidewaiter/v1/broker.grpc.pb.h"

namespace tidewaiter::testing {

using RunStream = grpc::ServerReaderWriter<v1::RunEvent, v1::RunRequest>;

class ScriptedBroker {
 public:
  // Called on a thread of the server for each Run; it has not read the first request.
  using Script = std::function<grpc::Status(RunStream& stream)>;

  explicit ScriptedBroker(Script script);
  ~ScriptedBroker();
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  [[nodiscard]] std::string socket_path() const { return folder_ / "broker.sock"; }
  // Calls of Cancel.
  [[nodiscard]] int cancels() const { return cancels_; }
  // What Explain answers, and the backend that it was last asked for.
  void AnswerExplain(const v1::ExplainResponse& answer);
  [[nodiscard]] std::string ExplainedBackend() const;

 private:
  class Service;

  ScratchFolder folder_;
  std::atomic<int> cancels_{0};
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

// Of a run that has just been admitted.
v1::RunEvent AdmittedEvent(std::int64_t output_bytes = 1 << 20);
// Of one that has ended by itself.
v1::RunEvent ExitedEvent(int exit_code = 0);

}  // namespace tidewaiter::testing
