// A server on a Unix socket that does to each connection what a script says, byte by byte, one
// thread per connection: for tests of clients, HTTP or not, that must stand what no real server
// does.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

// One accepted connection, as a script sees it. Closed when the script returns; bytes of the peer
// that nobody has read make that a reset.
class ScriptedConnection {
 public:
  ScriptedConnection(int fd, int number) : fd_(fd), number_(number) {}

  // 0 for the first connection that was accepted.
  [[nodiscard]] int number() const { return number_; }
  // The next request up to its blank line; "" where the peer is gone first.
  std::string ReadHead();
  // The next `bytes`; fewer where the peer is gone or has half-closed first.
  std::string Read(std::size_t bytes);
  // Everything until the peer closes or half-closes.
  std::string ReadAll();
  // False where the peer is gone. Blocks while the peer does not read.
  bool Send(std::string_view data) const;
  // What the kernel takes at once, where the peer does not read.
  std::size_t SendSome(std::string_view data) const;
  // Half-closes: the peer reads to the end and may still write.
  void FinishSending() const;
  // An answer of HTTP with a length.
  bool Answer(int status, std::string_view body) const;

 private:
  bool Receive();

  int fd_;
  int number_;
  std::string unread_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(ScriptedConnection&)>;

  // Listens at once, in a folder of its own. Aborts the test program where it cannot.
  explicit ScriptedServer(Script script);
  // Hangs up on everyone, which ends every call of a script, and joins.
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] const std::string& socket_path() const { return socket_path_; }
  // How many connections have been accepted.
  [[nodiscard]] int connections() const { return accepted_; }

 private:
  struct Peer {
    UniqueFd fd;
    std::thread thread;
  };
  void Accept();
  void Serve(Peer& peer, int fd, int number);

  std::string folder_;
  std::string socket_path_;
  Script script_;
  UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::list<Peer> peers_;  // under mutex_; only ever grows
  std::thread acceptor_;
};

}  // namespace tidewaiter::testing
