// A channel to the broker's Unix socket. Opening waits until the broker speaks, so that what stands
// in the way is said once and clearly; a channel that breaks later reconnects by itself.
// Thread: any; the stubs may be shared. Never retries a call: a run must not be started twice.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "tidewaiter/v1/audit.grpc.pb.h"
#include "tidewaiter/v1/broker.grpc.pb.h"

namespace tidewaiter::client {

inline constexpr char kDefaultSocket[] = "/run/tidewaiter/broker.sock";

class Connection {
 public:
  // `socket_path`: absolute or relative, at most 107 bytes (unix(7)). Errors name the path:
  //   INVALID_ARGUMENT  the path cannot be a socket's
  //   NOT_FOUND         SOCKET_MISSING
  //   UNAVAILABLE       SOCKET_REFUSED: nothing answers on it; SOCKET_BUSY: its backlog is full
  //   PERMISSION_DENIED SOCKET_FORBIDDEN: the file system's word; CALLER_UNKNOWN: the broker hangs
  //                     up at once, which is how it answers a uid that is no principal
  //   DEADLINE_EXCEEDED connected, but the broker said nothing by `deadline`
  static Result<Connection> Open(const std::string& socket_path, Deadline deadline);

  [[nodiscard]] v1::Broker::Stub& broker() noexcept { return *broker_; }
  [[nodiscard]] v1::Audit::Stub& audit() noexcept { return *audit_; }

 private:
  explicit Connection(const std::shared_ptr<grpc::Channel>& channel);

  std::unique_ptr<v1::Broker::Stub> broker_;
  std::unique_ptr<v1::Audit::Stub> audit_;
};

// `deadline` as gRPC's contexts take it.
std::chrono::system_clock::time_point ToSystemTime(Deadline deadline) noexcept;

}  // namespace tidewaiter::client
