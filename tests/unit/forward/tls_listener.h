// A syslog server by TLS on a loopback port (RFC 5425), that can be made to take nothing. Its
// thread ends with it.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/test_certificates.h"

namespace tidewaiter::forward {

class TlsListener {
 public:
  struct Options {
    int max_version = 0;        // TLS1_1_VERSION and so on; 0: any
    bool silent = false;        // accepts, and says nothing at all
    std::size_t read_only = 0;  // messages of a connection, and no byte after them; 0: all
    std::uint16_t port = 0;     // 0: any
  };
  TlsListener(testing::TestAuthority::Issued server, Options options);
  ~TlsListener();
  TlsListener(const TlsListener&) = delete;
  TlsListener& operator=(const TlsListener&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int connections() const noexcept { return connections_; }
  // The messages so far, once there are at least so many; fewer where they do not come in time.
  std::vector<std::string> Await(std::size_t count);
  // Closes the connection of which it reads no more.
  void HangUp();
  // Whether the last connection that ended was ended in order, by a closing alert.
  [[nodiscard]] bool closed_in_order() const noexcept { return closed_in_order_; }

 private:
  void Serve();
  void Take(SSL* session);
  bool AddMessages(std::string& bytes, std::size_t& of_connection);

  const Options options_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> closed_in_order_{false};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> messages_;
  int peer_ = -1;         // under mutex_
  bool hang_up_ = false;  // likewise
  int hung_up_ = 0;       // likewise
  std::thread thread_;
};

}  // namespace tidewaiter::forward
