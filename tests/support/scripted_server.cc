#include "tests/support/scripted_server.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tidewaiter::testing {

bool ScriptedConnection::Receive() {
  std::array<char, 65536> bytes{};
  for (;;) {
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    unread_.append(bytes.data(), static_cast<std::size_t>(got));
    return true;
  }
}

std::string ScriptedConnection::ReadHead() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::size_t end = 0;
  while ((end = unread_.find(kEnd)) == std::string::npos) {
    if (!Receive()) return {};
  }
  return Read(end + kEnd.size());
}

std::string ScriptedConnection::Read(std::size_t bytes) {
  while (unread_.size() < bytes && Receive()) {
  }
  std::string data = unread_.substr(0, bytes);
  unread_.erase(0, bytes);
  return data;
}

std::string ScriptedConnection::ReadAll() {
  while (Receive()) {
  }
  return std::exchange(unread_, {});
}

bool ScriptedConnection::Send(std::string_view data) const {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t ScriptedConnection::SendSome(std::string_view data) const {
  std::size_t sent = 0;
  while (sent < data.size()) {
    const std::string_view rest = data.substr(sent);
    const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

void ScriptedConnection::FinishSending() const {
  ::shutdown(fd_, SHUT_WR);
}

bool ScriptedConnection::Answer(int status, std::string_view body) const {
  return Send("HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
  std::string folder = std::filesystem::temp_directory_path() / "scripted-server-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  folder_ = folder;
  socket_path_ = folder_ + "/socket";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof(address.sun_path)) std::abort();
  std::memcpy(&address.sun_path, socket_path_.c_str(), socket_path_.size() + 1);
  listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // bind(2) takes the generic address type.
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::bind(listener_.get(), generic, sizeof(address)) != 0) std::abort();
  if (::listen(listener_.get(), 128) != 0) std::abort();
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (Peer& peer : peers_) {
      if (peer.fd) ::shutdown(peer.fd.get(), SHUT_RDWR);
    }
  }
  for (Peer& peer : peers_) peer.thread.join();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ScriptedServer::Accept() {
  while (!stopping_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    const std::lock_guard lock(mutex_);
    Peer& peer = peers_.emplace_back();
    peer.fd = std::move(fd);
    peer.thread = std::thread(
        [this, &peer, number = accepted_++, raw = peer.fd.get()] { Serve(peer, raw, number); });
  }
}

void ScriptedServer::Serve(Peer& peer, int fd, int number) {
  ScriptedConnection connection(fd, number);
  script_(connection);
  // Under the lock: the destructor must not shut down a number that has been closed.
  const std::lock_guard lock(mutex_);
  peer.fd.Reset();
}

}  // namespace tidewaiter::testing
