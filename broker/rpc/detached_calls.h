// The calls that watch detached runs: Attach, Wait and Fetch, and Start, which begins one. Attach
// and Fetch have a thread of a small pool for as long as they last, since they read files and wait.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "broker/rpc/blocking_stream.h"
#include "broker/rpc/identity.h"
#include "broker/rpc/principal_places.h"
#include "broker/rpc/run_stream.h"
#include "broker/rpc/worker.h"
#include "broker/run/detached_run.h"
#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

class DetachedCalls {
 public:
  static constexpr std::size_t kMaxStreams = 32;
  static constexpr std::size_t kMaxStreamsPerPrincipal = 16;
  static constexpr std::size_t kMaxWaitsPerPrincipal = 1024;

  struct Parts {
    // Borrowed; they must outlive the server.
    Identifier* identifier = nullptr;
    run::RunRegistry* registry = nullptr;
    const run::Environment* environment = nullptr;
    // How long a client may take nothing of what it asked for.
    std::chrono::milliseconds stall{std::chrono::seconds(30)};
  };
  explicit DetachedCalls(const Parts& parts)
      : parts_(parts),
        places_(kMaxStreamsPerPrincipal),
        waits_(kMaxWaitsPerPrincipal),
        streams_(kMaxStreams, 0) {}

  // The caller has the role `run`.
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext& context, const Identity& identity,
                                  const v1::StartRequest& request, v1::StartResponse& response);
  grpc::ServerUnaryReactor* Wait(Identity identity, const v1::WaitRequest& request,
                                 v1::WaitResponse& response);
  grpc::ServerWriteReactor<v1::RunEvent>* Attach(grpc::CallbackServerContext& context,
                                                 Identity identity,
                                                 const v1::AttachRequest& request);
  grpc::ServerWriteReactor<v1::FetchResponse>* Fetch(grpc::CallbackServerContext& context,
                                                     Identity identity,
                                                     const v1::FetchRequest& request);

  // Ends every call that waits for a run. Before the server is shut down.
  void Stop() noexcept { stop_.request_stop(); }

 private:
  // Whether the caller may still learn of the run: a reload may have changed that.
  [[nodiscard]] std::function<bool()> MayRead(const run::Caller& caller,
                                              const run::DetachedRun& run) const;
  template <typename Message>
  grpc::ServerWriteReactor<Message>* Serve(
      grpc::CallbackServerContext& context, Identity identity, const std::string& run_id,
      std::function<grpc::Status(BlockingStream<Message>&, run::DetachedRun&)> writer);
  grpc::Status AttachNow(BlockingStream<v1::RunEvent>& stream, run::DetachedRun& run,
                         bool snapshot);
  grpc::Status FetchNow(BlockingStream<v1::FetchResponse>& stream, run::DetachedRun& run,
                        const run::Caller& caller, const std::string& output);

  const Parts parts_;
  std::stop_source stop_;
  PrincipalPlaces places_;
  PrincipalPlaces waits_;
  Worker streams_;
};

// For RunStream: RunRegistry::LaunchDetached. UNAVAILABLE (IN_PROGRESS) where the run that is there
// already has not been decided yet.
Result<RunStream::Launched> LaunchDetached(run::RunRegistry& registry, run::RunRequest request);

}  // namespace tidewaiter::rpc
