#include "broker/rpc/listening_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/printable.h"

namespace tidewaiter::rpc {
namespace {

constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START
constexpr int kBacklog = 1024;     // a full queue makes connect(2) fail at once

std::optional<long> NumberFromEnvironment(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  if (text == nullptr) return std::nullopt;
  long number = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

int SocketOption(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

Result<UniqueFd> TakePassedSocket(long count) {
  const std::string what = "take the socket that systemd passed";
  if (count != 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {} descriptors instead of one", what, count));
  }
  UniqueFd fd(kFirstPassedFd);
  if (SocketOption(fd.get(), SO_DOMAIN) != AF_UNIX ||
      SocketOption(fd.get(), SO_TYPE) != SOCK_STREAM ||
      SocketOption(fd.get(), SO_ACCEPTCONN) != 1) {
    return Fail(ErrorCode::kInvalidArgument, what + ": no listening unix stream socket");
  }
  if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) return ErrnoError(errno, what);
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return ErrnoError(errno, what);
  return fd;
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd NewSocket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Held from the look at what is there until the new socket listens, and after.
Result<UniqueFd> LockPath(const std::string& path) {
  const std::string lock_path = path + ".lock";
  const std::string what = fmt::format("lock {}", Quoted(lock_path));
  UniqueFd lock(
      ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!lock) return ErrnoError(errno, what);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError(errno, what);
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("listen on {}: another process listens there, or is about to", Quoted(path)),
        "SOCKET_IN_USE");
  }
  return lock;
}

// Makes room for bind(2). Only ECONNREFUSED proves that nobody listens; EAGAIN is a listener whose
// queue is full.
Result<void> RemoveStale(const std::string& path) {
  const std::string what = fmt::format("listen on {}", Quoted(path));
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? Ok() : Result<void>(ErrnoError(errno, what));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Fail(ErrorCode::kAlreadyExists, what + ": something that is no socket is in the way",
                "SOCKET_IN_USE");
  }
  const UniqueFd probe = NewSocket();
  if (!probe) return ErrnoError(errno, what);
  const sockaddr_un address = AddressOf(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED) {
    return Fail(ErrorCode::kAlreadyExists, what + ": another process listens there",
                "SOCKET_IN_USE");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, what);
  return Ok();
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Open(const std::string& path, std::uint32_t mode) {
  const std::optional<long> passed_to = NumberFromEnvironment("LISTEN_PID");
  if (passed_to && *passed_to == ::getpid()) {
    const long count = NumberFromEnvironment("LISTEN_FDS").value_or(0);
    TW_ASSIGN(UniqueFd fd, TakePassedSocket(count));
    return ListeningSocket(UniqueFd(), std::move(fd), {}, 0, 0);
  }
  return Bind(path, mode);
}

Result<ListeningSocket> ListeningSocket::Bind(const std::string& path, std::uint32_t mode) {
  const std::string what = fmt::format("listen on {}", Quoted(path));
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, what + ": a socket's path has 1 to 107 bytes");
  }
  TW_ASSIGN(UniqueFd lock, LockPath(path));
  TW_TRY(RemoveStale(path));
  UniqueFd fd = NewSocket();
  if (!fd) return ErrnoError(errno, what);
  const sockaddr_un address = AddressOf(path);
  // bind(2) creates the file under the umask: nobody connects before the mode is what it should be.
  const mode_t old_mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int bind_errno = errno;
  ::umask(old_mask);
  if (bound != 0) {
    if (bind_errno == EADDRINUSE) {
      return Fail(ErrorCode::kAlreadyExists, what + ": another process was faster",
                  "SOCKET_IN_USE");
    }
    return ErrnoError(bind_errno, what);
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return ErrnoError(errno, what);
  ListeningSocket socket(std::move(lock), std::move(fd), path, status.st_dev, status.st_ino);
  if (::listen(socket.fd(), kBacklog) != 0) return ErrnoError(errno, what);
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return ErrnoError(errno, what);
  return socket;
}

ListeningSocket::~ListeningSocket() {
  if (!fd_ || path_.empty()) return;
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace tidewaiter::rpc
