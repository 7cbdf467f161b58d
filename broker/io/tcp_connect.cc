#include "broker/io/tcp_connect.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/completion.h"
#include "base/printable.h"

namespace tidewaiter::io {
namespace {

// Of several addresses one that does not answer must leave time for the next.
constexpr std::chrono::seconds kMostPerAddress(5);

struct AddressesDeleter {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::shared_ptr<addrinfo>;

struct Lookup {
  int error = 0;  // of getaddrinfo(3)
  Addresses found;
};

Error Unreachable(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message), "CONNECT_FAILED");
}

Lookup LookUp(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return {.error = error, .found = nullptr};
  return {.error = 0, .found = Addresses(list, AddressesDeleter())};
}

Result<Addresses> Resolve(const std::string& host, std::uint16_t port, const std::stop_token& stop,
                          Deadline deadline) {
  const std::string what = "look up " + Quoted(host);
  const auto answer = std::make_shared<Completion<Lookup>>();
  try {
    std::thread([answer, host, port] { answer->Set(LookUp(host, port)); }).detach();
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, what + ": no thread: " + error.code().message());
  }
  const std::optional<Lookup> lookup = answer->Wait(stop, deadline);
  if (!lookup && stop.stop_requested()) return Fail(ErrorCode::kCancelled, what + ": cancelled");
  if (!lookup) return Fail(ErrorCode::kDeadlineExceeded, what + ": the deadline has passed");
  if (lookup->error != 0) return Unreachable(what + ": " + ::gai_strerror(lookup->error));
  return lookup->found;
}

Result<BlockingSocket> ConnectTo(const addrinfo& address, const std::stop_token& stop,
                                 Deadline deadline) {
  UniqueFd fd(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       address.ai_protocol));
  if (!fd) return ErrnoError(errno, "open a socket");
  TW_ASSIGN(BlockingSocket socket, BlockingSocket::Adopt(std::move(fd), stop));
  int error = ::connect(socket.fd(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    TW_TRY(socket.Await(POLLOUT, deadline));
    socklen_t size = sizeof(error);
    if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  if (error != 0) return Unreachable(ErrnoError(error, "connect").message);
  return socket;
}

}  // namespace

Result<BlockingSocket> ConnectTcp(const std::string& host, std::uint16_t port,
                                  const std::stop_token& stop, Deadline deadline) {
  TW_ASSIGN(const Addresses addresses, Resolve(host, port, stop, deadline));
  const std::string what = "connect to " + Quoted(host) + " port " + std::to_string(port);
  Error last = Unreachable("no address");
  for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) {
    const Deadline own = deadline.Sooner(Deadline::After(kMostPerAddress));
    Result<BlockingSocket> socket =
        ConnectTo(*next, stop, next->ai_next != nullptr ? own : deadline);
    if (socket) return socket;
    last = std::move(socket).error();
    if (last.code == ErrorCode::kCancelled || deadline.Passed()) break;
  }
  return last.Within(what);
}

}  // namespace tidewaiter::io
