// Talks to a broker over its socket with the generated stubs alone, as a client in another language
// would: what the tests see is the wire contract, not this project's client library.
#pragma once

#include <grpcpp/grpcpp.h>

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tidewaiter/v1/audit.grpc.pb.h"
#include "tidewaiter/v1/broker.grpc.pb.h"
#include "tidewaiter/v1/errors.pb.h"

namespace tidewaiter::testing {

// All that a Run stream said, in order.
struct Transcript {
  std::vector<v1::RunEvent> events;
  grpc::Status status;

  [[nodiscard]] std::string Stdout() const { return Text(v1::Output::STDOUT); }
  [[nodiscard]] std::string Stderr() const { return Text(v1::Output::STDERR); }
  // Of the first such event; the default instance where there is none.
  [[nodiscard]] v1::RunResult Result() const;
  [[nodiscard]] v1::Receipt Receipt() const;
  [[nodiscard]] v1::Started Started() const;
  [[nodiscard]] v1::Denied Denied() const;
  [[nodiscard]] v1::Truncated Truncated() const;
  [[nodiscard]] std::string RunId() const;
  [[nodiscard]] bool Has(v1::RunEvent::EventCase kind) const;
  // Of the status's ErrorInfo; empty where there is none.
  [[nodiscard]] std::string Reason() const;

 private:
  [[nodiscard]] std::string Text(v1::Output::Stream stream) const;
};

// The ErrorInfo of a status, as any google.rpc-aware client would read it.
v1::ErrorInfo ErrorInfoOf(const grpc::Status& status);

// Connects with `uid` as this thread's own for the moment of the connect, which is when the kernel
// takes the credentials that SO_PEERCRED gives (unix(7)). Needs root. Invalid where it fails.
UniqueFd ConnectAs(uid_t uid, const std::string& socket_path);

class GateClient {
 public:
  explicit GateClient(const std::string& socket_path);
  // On such a connection; null where there is none.
  static std::unique_ptr<GateClient> As(uid_t uid, const std::string& socket_path);

  using Stream = grpc::ClientReaderWriter<v1::RunRequest, v1::RunEvent>;
  // Called with each event as it arrives; may write to the stream or cancel the context.
  using OnEvent = std::function<void(const v1::RunEvent&, Stream&, grpc::ClientContext&)>;

  // Runs to the end of the stream, at most `within`.
  Transcript Run(const v1::RunSpec& spec, const OnEvent& on_event = {}, bool with_stdin = false,
                 std::chrono::seconds within = std::chrono::seconds(60));
  Transcript Run(const v1::StartRun& start, const OnEvent& on_event,
                 std::chrono::seconds within = std::chrono::seconds(60));

  [[nodiscard]] v1::Broker::Stub& broker() { return *broker_; }
  [[nodiscard]] v1::Audit::Stub& audit() { return *audit_; }
  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Every audit record, as JSON lines.
  std::vector<std::string> AuditLines(const std::string& run_id = {});

 private:
  explicit GateClient(std::shared_ptr<grpc::Channel> channel);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Broker::Stub> broker_;
  std::unique_ptr<v1::Audit::Stub> audit_;
};

}  // namespace tidewaiter::testing
