// An HTTP server on a loopback port that answers its requests with one status each, and "kept", in
// order. A status of 0 is no answer. Its thread ends with it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace tidewaiter::forward {

class HttpListener {
 public:
  explicit HttpListener(std::vector<int> statuses)
      : statuses_(std::move(statuses)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
    socklen_t size = sizeof(address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  ~HttpListener() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      if (peer_ >= 0) ::shutdown(peer_, SHUT_RDWR);
    }
    changed_.notify_all();
    thread_.join();
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The last one that was answered, head and body.
  [[nodiscard]] std::string request() const {
    const std::lock_guard lock(mutex_);
    return request_;
  }

 private:
  // A connection for each request.
  void Serve() {
    for (const int status : statuses_) {
      const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      {
        const std::lock_guard lock(mutex_);
        if (ending_) return;
        peer_ = peer.get();
      }
      const std::string request = Read(peer.get());
      std::unique_lock lock(mutex_);
      request_ = request;
      if (status == 0) changed_.wait(lock, [this] { return ending_; });
      const std::string answer = "HTTP/1.1 " + std::to_string(status) +
                                 " Text\r\nContent-Length: 4\r\nConnection: close\r\n\r\nkept";
      if (status != 204 && status != 0) Send(peer.get(), answer);
      if (status == 204) Send(peer.get(), "HTTP/1.1 204 Text\r\nConnection: close\r\n\r\n");
      peer_ = -1;
    }
  }
  static void Send(int peer, const std::string& answer) {
    (void)::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  static std::string Read(int peer) {
    std::string all;
    std::array<char, 4096> bytes{};
    for (;;) {
      const std::size_t head = all.find("\r\n\r\n");
      const std::size_t length = all.find("Content-Length: ");
      const std::size_t body =
          length == std::string::npos ? 0 : std::stoul(all.substr(length + 16));
      if (head != std::string::npos && all.size() >= head + 4 + body) {
        return all;
      }
      const ssize_t got = ::recv(peer, bytes.data(), bytes.size(), 0);
      if (got <= 0) return all;
      all.append(bytes.data(), static_cast<std::size_t>(got));
    }
  }

  const std::vector<int> statuses_;
  const UniqueFd listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string request_;
  int peer_ = -1;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidewaiter::forward
