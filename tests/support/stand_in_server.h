// A small HTTP/1.1 server on a Unix socket or a loopback port, one thread per connection, for tests
// only: what stands in for an engine or a cluster is built on it. It speaks just enough HTTP for
// the clients of this project and for docker's own command line.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

std::string PercentDecode(std::string_view text);

struct StandInRequest {
  std::string method;
  std::string path;                            // without the query, percent-decoded
  std::string query;                           // as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string head;                            // as sent, with the empty line at its end
  std::string body;
};

// One accepted connection, as a handler sees it. Every call returns false where the peer is gone.
class StandInConnection {
 public:
  explicit StandInConnection(int fd) : fd_(fd) {}
  bool Answer(int status, std::string_view body,
              std::string_view content_type = "application/json");
  bool BeginChunks();  // 200 with Transfer-Encoding: chunked
  bool Chunk(std::string_view data);
  bool Upgrade();                   // 101; raw bytes from here on
  bool Raw(std::string_view data);  // writes bytes as they are
  std::string ReadRaw();            // what comes next; empty at end of file
  bool Readable(int wait_millis);   // waits so long until ReadRaw would not
  bool PeerGone(int wait_millis);   // waits so long for the peer to hang up
  void Reset();                     // closes with what was received still unread
  void CloseAfterwards() { keep_ = false; }
  [[nodiscard]] bool keep() const { return keep_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  bool keep_ = true;
};

class StandInServer {
 public:
  using Handler = std::function<void(const StandInRequest&, StandInConnection&)>;
  static constexpr const char* kLoopback = "127.0.0.1:0";  // a port that is free

  // `address`: a Unix socket's path, or kLoopback. Listens at once. Aborts the test program where
  // it cannot.
  StandInServer(std::string address, Handler handler);
  // Hangs up on everyone and joins; handlers that wait must end when PeerGone says so.
  ~StandInServer();
  StandInServer(const StandInServer&) = delete;
  StandInServer& operator=(const StandInServer&) = delete;

  // The socket's path, or "127.0.0.1:PORT".
  [[nodiscard]] const std::string& address() const { return address_; }
  // While away nobody can connect, as to a server that is being restarted; who is connected stays
  // so.
  void SetAway(bool away);
  // On everyone who is connected now.
  void HangUp();

 private:
  struct Peer {
    UniqueFd fd;
    std::thread thread;
    std::atomic<bool> done{false};
  };
  void Accept();
  void Serve(Peer& peer);

  std::string address_;
  Handler handler_;
  UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<Peer> peers_;
  std::thread acceptor_;
};

}  // namespace tidewaiter::testing
