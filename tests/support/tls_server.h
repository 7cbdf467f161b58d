// A server by TLS on a loopback port that does to each connection what a script says, one thread
// per connection, and knows who its client says it is.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/test_certificates.h"

namespace tidewaiter::testing {

// One connection whose handshake has succeeded, as a script sees it.
class TlsPeer {
 public:
  explicit TlsPeer(SSL* session) : session_(session) {}

  // The common name of the client's certificate, or "".
  [[nodiscard]] std::string client() const;
  // The name that the client asks for (SNI), or "".
  [[nodiscard]] std::string asked_name() const;
  // The next request up to its blank line; "" where the peer is gone first.
  std::string ReadHead();
  // The next `bytes`; fewer where the peer is gone first.
  std::string Read(std::size_t bytes);
  // False where the peer is gone. Blocks while the peer does not read.
  bool Send(std::string_view data) const;
  // An answer of HTTP with a length.
  bool Answer(int status, std::string_view body) const;

 private:
  bool Receive();

  SSL* const session_;
  std::string unread_;
};

class TlsServer {
 public:
  using Script = std::function<void(TlsPeer&)>;

  // `client_authority`: whose certificates it takes from clients; empty: it asks for none. Listens
  // at once. Aborts the test program where it cannot.
  TlsServer(const TestAuthority::Issued& own, const std::string& client_authority, Script script);
  // Hangs up on everyone and joins.
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  // How many handshakes have succeeded.
  [[nodiscard]] int connections() const noexcept { return connections_; }

 private:
  struct Peer {
    UniqueFd fd;
    std::thread thread;
  };
  void Accept();
  void Serve(Peer& peer, int fd);

  const Script script_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::list<Peer> peers_;  // under mutex_; only ever grows
  std::thread acceptor_;
};

}  // namespace tidewaiter::testing
