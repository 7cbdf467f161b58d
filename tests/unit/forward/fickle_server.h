// A server at a Unix stream socket that reads so many lines of each connection, not a byte more,
// and hangs up: whatever else was sent is gone. Its thread ends with it.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace tidewaiter::forward {

class FickleServer {
 public:
  FickleServer(const std::string& path, int lines_each)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), lines_each_(lines_each) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(&address.sun_path, path.c_str(), path.size() + 1);
    const auto* const generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (::bind(listener_.get(), generic, sizeof(address)) != 0) std::abort();
    if (::listen(listener_.get(), 16) != 0) std::abort();
    thread_ = std::thread([this] { Serve(); });
  }
  FickleServer(const FickleServer&) = delete;
  FickleServer& operator=(const FickleServer&) = delete;
  ~FickleServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      if (peer_ >= 0) ::shutdown(peer_, SHUT_RDWR);
    }
    thread_.join();
  }

  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  void Serve() {
    for (;;) {
      const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      ++connections_;
      {
        const std::lock_guard lock(mutex_);
        if (ending_) return;
        peer_ = peer.get();
      }
      for (int i = 0; i < lines_each_ && TakeLine(peer.get()); ++i) {
      }
      const std::lock_guard lock(mutex_);
      peer_ = -1;
    }
  }
  bool TakeLine(int peer) {
    std::string line;
    for (char c = 0; ::recv(peer, &c, 1, 0) == 1; line.push_back(c)) {
      if (c != '\n') continue;
      const std::lock_guard lock(mutex_);
      lines_.push_back(line);
      return true;
    }
    return false;
  }

  const UniqueFd listener_;
  const int lines_each_;
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  int peer_ = -1;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidewaiter::forward
