#include "broker/rpc/peer_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include "broker/rpc/peer_process.h"

namespace tidewaiter::rpc {
namespace {

constexpr int kWhenOutOfDescriptorsMs = 100;

}  // namespace

Result<std::unique_ptr<PeerListener>> PeerListener::Start(ListeningSocket socket,
                                                          ConnectionTable& table,
                                                          Callbacks callbacks) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return ErrnoError(errno, "start the listener");
  struct Enabler : PeerListener {
    Enabler(ListeningSocket s, UniqueFd e, ConnectionTable& t, Callbacks c)
        : PeerListener(std::move(s), std::move(e), t, std::move(c)) {}
  };
  return std::unique_ptr<PeerListener>(
      std::make_unique<Enabler>(std::move(socket), std::move(stop), table, std::move(callbacks)));
}

PeerListener::PeerListener(ListeningSocket socket, UniqueFd stop, ConnectionTable& table,
                           Callbacks callbacks)
    : socket_(std::move(socket)),
      stop_(std::move(stop)),
      table_(table),
      callbacks_(std::move(callbacks)),
      thread_([this] { Loop(); }) {}

PeerListener::~PeerListener() {
  const std::uint64_t one = 1;
  // An eventfd that is empty takes a one.
  static_cast<void>(!::write(stop_.get(), &one, sizeof(one)));
  thread_.join();
}

void PeerListener::Loop() {
  bool out_of_descriptors = false;
  while (true) {
    std::array<pollfd, 2> waits{pollfd{stop_.get(), POLLIN, 0}, pollfd{socket_.fd(), POLLIN, 0}};
    // Without descriptors accept4(2) fails while the socket stays ready: only the stop is waited
    // for, for a moment.
    const int ready = out_of_descriptors ? ::poll(waits.data(), 1, kWhenOutOfDescriptorsMs)
                                         : ::poll(waits.data(), waits.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (ready > 0 && waits[0].revents != 0) return;
    out_of_descriptors = !AcceptOne();
  }
}

// False where the process is out of descriptors.
bool PeerListener::AcceptOne() {
  UniqueFd connection(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) {
    const int cause = errno;
    if (cause != EMFILE && cause != ENFILE && cause != ENOBUFS && cause != ENOMEM) return true;
    Refuse(ErrnoError(cause, "accept a connection"));
    return false;
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    Refuse(ErrnoError(errno, "read a peer's credentials"));
    return true;
  }
  if (!callbacks_.knows(peer.uid)) {
    Refuse(Fail(
        ErrorCode::kPermissionDenied,
        fmt::format("accept a connection: uid {} (pid {}) is no principal", peer.uid, peer.pid),
        "CALLER_UNKNOWN"));
    return true;
  }
  PeerProcess process = ReadPeerProcess(connection.get(), peer.pid);
  const Result<int> number = table_.Admit(
      std::move(connection),
      {.uid = peer.uid, .gid = peer.gid, .pid = peer.pid, .process = std::move(process)});
  if (!number) {
    Refuse(number.error());
    return true;
  }
  callbacks_.serve(*number, peer.uid);
  return true;
}

// A stranger must not fill the log by connecting.
void PeerListener::Refuse(const Error& error) {
  const auto now = std::chrono::steady_clock::now();
  if (last_refusal_ != std::chrono::steady_clock::time_point() &&
      now - last_refusal_ < std::chrono::seconds(1)) {
    return;
  }
  last_refusal_ = now;
  callbacks_.refused(error);
}

}  // namespace tidewaiter::rpc
