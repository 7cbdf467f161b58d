#include "broker/io/blocking_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/printable.h"

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = 4096;
// Between two attempts to connect to a listener whose queue is full.
constexpr milliseconds kBacklogWait{5};

// For poll(2): rounded up, so that it does not spin through the last millisecond.
int PollMillis(Deadline deadline) {
  if (deadline.never()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(deadline.Left());
  return static_cast<int>(std::min(left, milliseconds(std::chrono::hours(1))).count());
}

Error Unavailable(int errno_value, std::string_view what, std::string_view reason = {}) {
  return Fail(ErrorCode::kUnavailable, ErrnoError(errno_value, what).message, reason);
}

}  // namespace

BlockingSocket::StopSignal::StopSignal(UniqueFd event, const std::stop_token& stop)
    : event_(std::move(event)),
      callback_(stop, [fd = event_.get()] { (void)::eventfd_write(fd, 1); }) {}

Result<BlockingSocket> BlockingSocket::Connect(const std::string& path, const std::stop_token& stop,
                                               Deadline deadline) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "open a socket");
  TW_ASSIGN(BlockingSocket socket, Adopt(std::move(fd), stop));
  TW_TRY(socket.ConnectTo(path, deadline));
  return socket;
}

Result<BlockingSocket> BlockingSocket::Adopt(UniqueFd fd, const std::stop_token& stop) {
  BlockingSocket socket(std::move(fd), stop);
  TW_TRY(socket.PrepareToStop());
  return socket;
}

Result<void> BlockingSocket::PrepareToStop() {
  if (!stop_.stop_possible()) return Ok();
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return ErrnoError(errno, "open a socket: eventfd");
  stopped_ = std::make_unique<StopSignal>(std::move(event), stop_);
  return Ok();
}

Result<void> BlockingSocket::ConnectTo(const std::string& path, Deadline deadline) {
  const std::string what = "connect to " + Quoted(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path) ||
      path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, what + ": not the path of a Unix socket");
  }
  std::memcpy(&address.sun_path, path.c_str(), path.size() + 1);
  const auto* const generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  while (::connect(fd_.get(), generic, sizeof(address)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Unavailable(errno, what, "CONNECT_FAILED");
    // The listener's queue is full, and nothing tells when it no longer is (unix(7)).
    const Deadline pause = deadline.Sooner(Deadline::After(kBacklogWait));
    const Result<void> waited = WaitFor(-1, 0, pause);
    const bool again =
        !waited && waited.error().code == ErrorCode::kDeadlineExceeded && !deadline.Passed();
    if (!again) return waited.error().Within(what);
  }
  return Ok();
}

Result<void> BlockingSocket::WaitFor(int fd, short events, Deadline deadline) {
  // poll(2) passes over negative descriptors.
  std::array<pollfd, 2> waited{
      pollfd{.fd = stopped_ ? stopped_->fd() : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = fd, .events = events, .revents = 0}};
  for (;;) {
    const int ready = ::poll(waited.data(), waited.size(), PollMillis(deadline));
    if (ready < 0 && errno != EINTR) return ErrnoError(errno, "wait for a socket");
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
    if (ready > 0) return Ok();
    if (deadline.Passed()) return Fail(ErrorCode::kDeadlineExceeded, "the deadline has passed");
  }
}

Result<void> BlockingSocket::Send(std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TW_TRY(WaitFor(fd_.get(), POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Unavailable(errno, "send");
    }
  }
  return Ok();
}

Result<std::size_t> BlockingSocket::Receive(std::string& buffer, std::size_t limit,
                                            Deadline deadline) {
  std::array<char, kReadBytes> bytes{};
  for (;;) {
    TW_TRY(WaitFor(fd_.get(), POLLIN, deadline));
    const ssize_t got = ::recv(fd_.get(), bytes.data(), std::min(limit, bytes.size()), 0);
    if (got >= 0) {
      buffer.append(bytes.data(), static_cast<std::size_t>(got));
      return static_cast<std::size_t>(got);
    }
    if (errno != EAGAIN && errno != EINTR) return Unavailable(errno, "receive");
  }
}

}  // namespace tidewaiter::io
