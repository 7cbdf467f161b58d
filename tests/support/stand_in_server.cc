#include "tests/support/stand_in_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/support/http_exchange.h"

namespace tidewaiter::testing {
std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ec == std::errc{}) {
      decoded.push_back(static_cast<char>(value));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

namespace {

// Reads a chunked body whose start is in `buffer`; leaves what follows it there.
bool ReadChunkedBody(int fd, std::string& buffer, std::string& body) {
  for (;;) {
    std::size_t end = 0;
    while ((end = buffer.find("\r\n")) == std::string::npos) {
      if (!ReceiveMore(fd, buffer)) return false;
    }
    std::size_t size = 0;
    std::from_chars(buffer.data(), buffer.data() + end, size, 16);
    while (buffer.size() < end + 2 + size + 2) {
      if (!ReceiveMore(fd, buffer)) return false;
    }
    body.append(buffer, end + 2, size);
    buffer.erase(0, end + 2 + size + 2);
    if (size == 0) return true;
  }
}

// Reads one request; `buffer` keeps what follows it.
bool ReadRequest(int fd, std::string& buffer, StandInRequest& request) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (buffer.size() > (std::size_t{1} << 20U) || !ReceiveMore(fd, buffer)) return false;
  }
  const std::string head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  const std::size_t first_space = head.find(' ');
  const std::size_t second_space = head.find(' ', first_space + 1);
  if (second_space == std::string::npos) return false;
  request = {};
  request.head = head + "\r\n";
  request.method = head.substr(0, first_space);
  const std::string target = head.substr(first_space + 1, second_space - first_space - 1);
  const std::size_t question = target.find('?');
  request.path = PercentDecode(target.substr(0, question));
  if (question != std::string::npos) request.query = target.substr(question + 1);
  std::size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const std::size_t line_end = head.find("\r\n", at);
    const std::string line = head.substr(at, line_end - at);
    if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
      const std::size_t value = line.find_first_not_of(' ', colon + 1);
      request.headers[LowerCase(line.substr(0, colon))] =
          value == std::string::npos ? "" : line.substr(value);
    }
    at = line_end + 2;
  }
  if (LowerCase(request.headers["transfer-encoding"]) == "chunked") {
    return ReadChunkedBody(fd, buffer, request.body);
  }
  std::size_t length = 0;
  const std::string& text = request.headers["content-length"];
  std::from_chars(text.data(), text.data() + text.size(), length);
  while (buffer.size() < length) {
    if (!ReceiveMore(fd, buffer)) return false;
  }
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return true;
}

constexpr int kBacklog = 4096;
constexpr int kAwayMillis = 5;  // between looks whether a server that is away is back

UniqueFd BindPath(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // bind(2) takes the generic address type.
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::bind(fd.get(), generic, sizeof(address)) != 0) return {};
  return fd;
}

UniqueFd BindPort(sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  socklen_t size = sizeof(address);
  if (::bind(fd.get(), generic, size) != 0) return {};
  if (::getsockname(fd.get(), generic, &size) != 0) return {};
  return fd;
}

// Twice: only a port that was asked for by its number stays one's own while nobody listens there
// (Linux, SOCK_BINDPORT_LOCK).
UniqueFd BindLoopback(std::string& name) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd any = BindPort(address);
  UniqueFd fd = BindPort(address);
  name = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  return fd;
}

}  // namespace

bool StandInConnection::Answer(int status, std::string_view body, std::string_view content_type) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Stand-in\r\nApi-Version: 1.41\r\n";
  if (status != 204) {
    head += "Content-Type: " + std::string(content_type) +
            "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  head += "\r\n";
  return SendAll(fd_, head + std::string(status == 204 ? std::string_view() : body));
}

bool StandInConnection::BeginChunks() {
  return SendAll(fd_, std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n") +
                          (keep_ ? "" : "Connection: close\r\n") +
                          "Transfer-Encoding: chunked\r\n\r\n");
}

bool StandInConnection::Chunk(std::string_view data) {
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  return SendAll(fd_, std::string(size.data(), end) + "\r\n" + std::string(data) + "\r\n");
}

bool StandInConnection::Upgrade() {
  keep_ = false;
  return SendAll(fd_,
                 "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
                 "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
}

bool StandInConnection::Raw(std::string_view data) {
  return SendAll(fd_, data);
}

std::string StandInConnection::ReadRaw() {
  std::string data;
  ReceiveMore(fd_, data);
  return data;
}

bool StandInConnection::Readable(int wait_millis) {
  pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&poll_fd, 1, wait_millis) > 0;
}

bool StandInConnection::PeerGone(int wait_millis) {
  pollfd poll_fd{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll_fd, 1, wait_millis) > 0;
}

void StandInConnection::Reset() {
  keep_ = false;
  ::shutdown(fd_, SHUT_RDWR);
}

StandInServer::StandInServer(std::string address, Handler handler)
    : address_(std::move(address)), handler_(std::move(handler)) {
  if (address_ == kLoopback) {
    listener_ = BindLoopback(address_);
  } else {
    ::unlink(address_.c_str());
    listener_ = BindPath(address_);
  }
  if (!listener_ || ::listen(listener_.get(), kBacklog) != 0) std::abort();
  acceptor_ = std::thread([this] { Accept(); });
}

StandInServer::~StandInServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  HangUp();
  for (Peer& peer : peers_) peer.thread.join();
  if (IsPath(address_)) ::unlink(address_.c_str());
}

// A TCP socket that is shut down while it listens refuses connections and keeps its port.
void StandInServer::SetAway(bool away) {
  if (IsPath(address_)) {
    const std::string aside = address_ + ".away";
    std::rename((away ? address_ : aside).c_str(), (away ? aside : address_).c_str());
  } else if (away) {
    ::shutdown(listener_.get(), SHUT_RDWR);
  } else if (::listen(listener_.get(), kBacklog) != 0) {
    std::abort();
  }
}

void StandInServer::HangUp() {
  const std::lock_guard lock(mutex_);
  for (Peer& peer : peers_) ::shutdown(peer.fd.get(), SHUT_RDWR);
}

void StandInServer::Accept() {
  while (!stopping_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) {
      if (stopping_) return;
      ::poll(nullptr, 0, kAwayMillis);
      continue;
    }
    // A last piece must not wait until the one before has been acknowledged. Of TCP alone.
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const std::lock_guard lock(mutex_);
    peers_.remove_if([](Peer& peer) {
      if (!peer.done) return false;
      peer.thread.join();
      return true;
    });
    Peer& peer = peers_.emplace_back();
    peer.fd = std::move(fd);
    peer.thread = std::thread([this, &peer] { Serve(peer); });
  }
}

void StandInServer::Serve(Peer& peer) {
  std::string buffer;
  StandInRequest request;
  while (!stopping_ && ReadRequest(peer.fd.get(), buffer, request)) {
    StandInConnection connection(peer.fd.get());
    handler_(request, connection);
    if (!connection.keep()) break;
  }
  ::shutdown(peer.fd.get(), SHUT_RDWR);
  peer.done = true;
}

}  // namespace tidewaiter::testing
