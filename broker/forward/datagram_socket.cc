#include "broker/forward/datagram_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::forward {
namespace {

Error Unavailable(int error, std::string_view what, std::string_view reason = {}) {
  return Fail(ErrorCode::kUnavailable, ErrnoError(error, what).message, reason);
}

// The errno of sendmsg(2), 0 for success; waits where the receiver's queue is full.
Result<int> SendMessage(io::BlockingSocket& socket, const msghdr& message, Deadline deadline) {
  while (::sendmsg(socket.fd(), &message, MSG_NOSIGNAL) < 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EAGAIN) return error;
    const Result<void> room = socket.Await(POLLOUT, deadline);
    if (!room) return room.error().Within("send: the receiver takes nothing");
  }
  return 0;
}

}  // namespace

Result<DatagramSocket> DatagramSocket::Connect(const std::string& path, std::size_t send_buffer,
                                               const std::stop_token& stop) {
  const std::string what = "connect to " + Quoted(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, what + ": not the path of a Unix socket");
  }
  std::memcpy(&address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "open a socket");
  const int bytes =
      static_cast<int>(std::min<std::size_t>(send_buffer, std::numeric_limits<int>::max()));
  // The system may give less: then long messages take another way.
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  const auto* const generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd.get(), generic, sizeof(address)) != 0) {
    return Unavailable(errno, what, errno == EPROTOTYPE ? "NOT_DATAGRAM" : "CONNECT_FAILED");
  }
  TW_ASSIGN(io::BlockingSocket socket, io::BlockingSocket::Adopt(std::move(fd), stop));
  return DatagramSocket(std::move(socket));
}

Result<bool> DatagramSocket::Send(std::string_view message, Deadline deadline) {
  iovec part{};
  // sendmsg(2) takes no const; it only reads.
  part.iov_base = const_cast<char*>(message.data());
  part.iov_len = message.size();
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  TW_ASSIGN(const int error, SendMessage(socket_, header, deadline));
  // ENOBUFS: shorter than the limit, but the kernel found no memory in one piece.
  if (error == EMSGSIZE || error == ENOBUFS) return false;
  if (error != 0) return Unavailable(error, "send");
  return true;
}

Result<void> DatagramSocket::SendFile(int file, Deadline deadline) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr header{};
  header.msg_control = space.data();
  header.msg_controllen = space.size();
  cmsghdr* const control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &file, sizeof(int));
  TW_ASSIGN(const int error, SendMessage(socket_, header, deadline));
  if (error != 0) return Unavailable(error, "send");
  return Ok();
}

}  // namespace tidewaiter::forward
