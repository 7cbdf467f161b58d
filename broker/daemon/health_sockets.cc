#include "broker/daemon/health_sockets.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/printable.h"

namespace tidewaiter::daemon {
namespace {

constexpr int kBacklog = 128;

}  // namespace

Result<UniqueFd> ListenOn(const config::LoopbackAddress& address) {
  constexpr char kWhat[] = "listen on a loopback address";
  const int one = 1;
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A restart finds connections of the former process in TIME_WAIT; who listens there still is in
  // the way all the same.
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return ErrnoError(errno, kWhat);
  }
  return fd;
}

Result<HealthSockets> OpenHealthSockets(const config::BrokerConfig& config) {
  HealthSockets sockets;
  if (!config.health_socket.empty()) {
    Result<rpc::ListeningSocket> local =
        rpc::ListeningSocket::Bind(config.health_socket, config.health_socket_mode);
    if (!local) return local.error().Within("open health_socket");
    sockets.local.emplace(*std::move(local));
  }
  if (!config.health_tcp.empty()) {
    const std::string what = "open health_tcp " + Quoted(config.health_tcp);
    const auto address = config::ParseLoopbackAddress(config.health_tcp);
    if (!address) return Fail(ErrorCode::kInvalidArgument, what + ": no loopback address");
    Result<UniqueFd> loopback = ListenOn(*address);
    if (!loopback) return loopback.error().Within(what);
    sockets.loopback = *std::move(loopback);
  }
  return sockets;
}

}  // namespace tidewaiter::daemon
