// The gRPC server: no TCP port, only connections that the listener hands over; health and
// reflection on. Owns the services' table of connections and the listener.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/rpc/audit_service.h"
#include "broker/rpc/broker_service.h"
#include "broker/rpc/connection_table.h"
#include "broker/rpc/listening_socket.h"
#include "broker/rpc/peer_listener.h"

namespace tidewaiter::rpc {

struct ServerSettings {
  ConnectionTable::Bounds connections;
  std::size_t max_message_bytes = std::size_t{4} << 20U;
  // Of one uid's connections together: messages that have not arrived whole, and those that nobody
  // took.
  std::size_t max_receive_memory_bytes = std::size_t{256} << 20U;
  int max_calls_per_connection = 128;
  std::chrono::milliseconds idle_timeout{std::chrono::minutes(10)};
  // How long a client may take nothing: of a run that has ended, of audit records.
  std::chrono::milliseconds output_stall{std::chrono::seconds(30)};
};

// What the server serves; all borrowed, and outliving it.
struct ServerParts {
  run::RunRegistry* registry = nullptr;
  const run::Environment* environment = nullptr;
  audit::Log* audit_log = nullptr;
  std::function<v1::DiagnoseResponse(bool for_operator)> diagnose;
  std::function<Result<v1::DiagnoseResponse>()> find_leaks;
  PolicyReloader reload_policy;
  std::function<Result<v1::RotateAuditKeyResponse>(const run::Caller&)> rotate_audit_key;
  std::function<void(const Error&)> refused;  // a connection; for the log
};

class Server {
 public:
  // Serves when it returns.
  static Result<std::unique_ptr<Server>> Start(ListeningSocket socket,
                                               const ServerSettings& settings,
                                               const ServerParts& parts);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // What grpc.health.v1 answers, for the server ("") as a whole; SERVING to begin with.
  void SetServing(bool serving);
  // Accepts no more connections; those that are there go on.
  void StopAccepting();
  // Ends every call: what is under way may finish until `deadline`. Runs must be over by then.
  void Shutdown(Deadline deadline);

 private:
  Server(const ServerSettings& settings, const ServerParts& parts);

  // Takes the descriptor. The listener's thread.
  void Serve(int number, uid_t uid);
  [[nodiscard]] std::unique_ptr<grpc::Server> Build();
  // Whoever lost a right by a reload loses what it holds by it.
  void OnPolicies(const policy::PolicySet& enforced);

  const ServerSettings settings_;
  const std::function<void(const Error&)> refused_;
  run::PoliciesInForce& policies_;
  ConnectionTable table_;
  Identifier identifier_;
  Worker worker_;
  BrokerService broker_;
  AuditService audit_;
  // A gRPC server for each uid that has come, all with the same services. One over its memory ends
  // calls, whosever they are: with a server of their own those are the calls of the uid that fills
  // it. Added to by the listener's thread alone, and only destroyed with this object.
  struct Servers {
    std::map<uid_t, std::unique_ptr<grpc::Server>> by_uid;
    bool serving = true;
  };
  [[nodiscard]] std::vector<grpc::Server*> AllServers();
  Guarded<Servers> servers_;
  std::unique_ptr<PeerListener> listener_;
};

}  // namespace tidewaiter::rpc
