#include "client/connection.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::client {
namespace {

// gRPC reads the target as a URI (RFC 3986), in which '%', '?' and '#' would mean something else.
std::string UnixTarget(const std::string& path) {
  std::string target = "unix:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || std::strchr("/-._~", c) != nullptr;
    if (plain) {
      target += c;
    } else {
      target += fmt::format("%{:02X}", byte);
    }
  }
  return target;
}

// gRPC's own word for a connection that failed is long and changes with its version; connect(2)
// says it better.
Error Diagnose(const std::string& path) {
  const std::string what = fmt::format("connect to the broker at {}", Quoted(path));
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, what);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("{}: it hung up at once; is uid {} a principal of its policy?", what,
                            ::geteuid()),
                "CALLER_UNKNOWN");
  }
  switch (const int cause = errno; cause) {
    case ENOENT:
    case ENOTDIR:
      return Fail(ErrorCode::kNotFound,
                  what + ": no such socket; is tidewaiterd running, and is this its socket?",
                  "SOCKET_MISSING");
    case ECONNREFUSED:
      return Fail(ErrorCode::kUnavailable,
                  what + ": connection refused; the socket is there, but no tidewaiterd listens",
                  "SOCKET_REFUSED");
    case EACCES:
    case EPERM:
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("{}: permission denied for uid {}; who may connect is decided by the "
                              "socket's group and mode",
                              what, ::geteuid()),
                  "SOCKET_FORBIDDEN");
    case EAGAIN:
      return Fail(ErrorCode::kUnavailable, what + ": too many callers are waiting; try again",
                  "SOCKET_BUSY");
    default: return ErrnoError(cause, what);
  }
}

// The end of the last channel ends gRPC, which joins its threads; and after a write that had to
// wait, one of them sits in a poll of 10 s that nothing wakes (the "backup poller" of gRPC 1.51's
// tcp_posix.cc). With a reference that is never given back a program ends without it.
void KeepLibrary() {
  static const bool kept = (grpc_init(), true);
  static_cast<void>(kept);
}

}  // namespace

std::chrono::system_clock::time_point ToSystemTime(Deadline deadline) noexcept {
  if (deadline.never()) return std::chrono::system_clock::time_point::max();
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline.Left());
}

Connection::Connection(const std::shared_ptr<grpc::Channel>& channel)
    : broker_(v1::Broker::NewStub(channel)), audit_(v1::Audit::NewStub(channel)) {}

Result<Connection> Connection::Open(const std::string& socket_path, Deadline deadline) {
  if (socket_path.empty() || socket_path.size() >= sizeof(sockaddr_un::sun_path) ||
      socket_path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("connect to the broker at {}: a socket's path has 1 to {} bytes",
                            Quoted(socket_path), sizeof(sockaddr_un::sun_path) - 1));
  }
  KeepLibrary();
  const auto channel =
      grpc::CreateChannel(UnixTarget(socket_path), grpc::InsecureChannelCredentials());
  for (auto state = channel->GetState(true); state != GRPC_CHANNEL_READY;
       state = channel->GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
      return Diagnose(socket_path);
    }
    if (!channel->WaitForStateChange(state, ToSystemTime(deadline))) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("connect to the broker at {}: it does not answer; is it a "
                              "tidewaiterd that listens there?",
                              Quoted(socket_path)),
                  "SOCKET_SILENT");
    }
  }
  return Connection(channel);
}

}  // namespace tidewaiter::client
