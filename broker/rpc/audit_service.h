// The Audit service: the log's lines as they are on disk, to callers with the role `audit`. Each
// call has a thread of a small pool for as long as it lasts, since it reads files and waits for
// records.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <vector>

#include "audit/log.h"
#include "base/guarded.h"
#include "broker/rpc/blocking_stream.h"
#include "broker/rpc/identity.h"
#include "broker/rpc/message_bound.h"
#include "broker/rpc/principal_places.h"
#include "broker/rpc/worker.h"
#include "tidewaiter/v1/audit.grpc.pb.h"

namespace tidewaiter::rpc {

// Writes records on a reader's thread.
using AuditStream = BlockingStream<v1::AuditRecord>;

class AuditService final : public v1::Audit::CallbackService {
 public:
  static constexpr std::size_t kMaxCalls = 16;
  static constexpr std::size_t kMaxCallsPerPrincipal = 4;

  struct Settings {
    // How long a client may take nothing of what it asked for.
    std::chrono::milliseconds stall{std::chrono::seconds(30)};
    MessageBound bound;
  };
  // Both borrowed; they must outlive the server.
  AuditService(Identifier& identifier, audit::Log& log, const Settings& settings)
      : identifier_(identifier),
        log_(log),
        settings_(settings),
        places_(kMaxCallsPerPrincipal),
        readers_(kMaxCalls, 0) {}

  grpc::ServerWriteReactor<v1::AuditRecord>* Query(grpc::CallbackServerContext* context,
                                                   const v1::QueryRequest* request) override;
  grpc::ServerWriteReactor<v1::AuditRecord>* Tail(grpc::CallbackServerContext* context,
                                                  const v1::TailRequest* request) override;

  // Ends the calls of those who may not read any more. Does not block.
  void Recheck(const policy::PolicySet& enforced);
  // Ends every call that waits for records. Before the server is shut down.
  void Stop() noexcept { stop_.request_stop(); }

 private:
  using Reader = std::function<grpc::Status(AuditStream&)>;
  grpc::ServerWriteReactor<v1::AuditRecord>* Serve(grpc::CallbackServerContext* context,
                                                   const google::protobuf::Message& request,
                                                   Reader reader);

  struct Reading {
    run::Caller caller;
    std::weak_ptr<AuditStream> stream;
  };

  Identifier& identifier_;
  audit::Log& log_;
  const Settings settings_;
  std::stop_source stop_;
  Guarded<std::vector<Reading>> reading_;
  PrincipalPlaces places_;
  Worker readers_;
};

}  // namespace tidewaiter::rpc
