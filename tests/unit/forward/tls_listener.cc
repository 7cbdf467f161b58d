#include "tests/unit/forward/tls_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdlib>

namespace tidewaiter::forward {
namespace {

UniqueFd Listen(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  socklen_t size = sizeof(address);
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), 16) != 0 ||
      ::getsockname(fd.get(), generic, &size) != 0) {
    std::abort();
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

TlsListener::TlsListener(testing::TestAuthority::Issued server, Options options)
    : options_(options), context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  SSL_CTX* const context = context_.get();
  SSL_CTX_set_security_level(context, 0);  // so that it can be older than its clients like
  SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
  if (options.max_version != 0) SSL_CTX_set_max_proto_version(context, options.max_version);
  if (SSL_CTX_use_certificate(context, server.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, server.key.get()) != 1) {
    std::abort();
  }
  port_ = options.port;
  listener_ = Listen(port_);
  thread_ = std::thread([this] { Serve(); });
}

TlsListener::~TlsListener() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  {
    const std::lock_guard lock(mutex_);
    if (peer_ >= 0) ::shutdown(peer_, SHUT_RDWR);
    changed_.notify_all();
  }
  thread_.join();
}

void TlsListener::Serve() {
  // OpenSSL writes to clients that have gone; the one that is tested must not.
  sigset_t pipe{};
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (!stopping_) {
    UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) return;
    {
      const std::lock_guard lock(mutex_);
      peer_ = peer.get();
    }
    ++connections_;
    if (options_.silent) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_.load(); });
    } else {
      const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context_.get()), &SSL_free);
      SSL_set_fd(session.get(), peer.get());
      if (SSL_accept(session.get()) == 1) Take(session.get());
    }
    const std::lock_guard lock(mutex_);
    peer_ = -1;
    peer.Reset();
    ++hung_up_;
    changed_.notify_all();
  }
}

void TlsListener::Take(SSL* session) {
  std::string bytes;
  std::size_t of_connection = 0;
  std::array<char, 16384> chunk{};
  for (;;) {
    const int got = SSL_read(session, chunk.data(), static_cast<int>(chunk.size()));
    if (got <= 0) {
      closed_in_order_ = SSL_get_error(session, got) == SSL_ERROR_ZERO_RETURN;
      return;
    }
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
    if (!AddMessages(bytes, of_connection)) return;
  }
}

// Each is its length in decimal, a space and so many bytes.
bool TlsListener::AddMessages(std::string& bytes, std::size_t& of_connection) {
  for (;;) {
    const std::size_t space = bytes.find(' ');
    if (space == std::string::npos) return true;
    const std::size_t length = std::stoul(bytes.substr(0, space));
    if (bytes.size() < space + 1 + length) return true;
    std::unique_lock lock(mutex_);
    messages_.push_back(bytes.substr(space + 1, length));
    bytes.erase(0, space + 1 + length);
    changed_.notify_all();
    if (options_.read_only == 0 || ++of_connection < options_.read_only) continue;
    changed_.wait(lock, [this] { return hang_up_ || stopping_; });
    return false;
  }
}

void TlsListener::HangUp() {
  std::unique_lock lock(mutex_);
  hang_up_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return hung_up_ > 0; });
}

std::vector<std::string> TlsListener::Await(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(20), [&] { return messages_.size() >= count; });
  return messages_;
}

}  // namespace tidewaiter::forward
