// Accepts connections and reads who they are before anything else does.
//
// A thread of its own. Never reads a byte of a connection: what passes is handed on, what does not
// is closed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/rpc/connection_table.h"
#include "broker/rpc/listening_socket.h"

namespace tidewaiter::rpc {

class PeerListener {
 public:
  struct Callbacks {
    // Whether that uid may speak to the broker at all.
    std::function<bool(uid_t)> knows;
    // Takes the descriptor of a connection of that uid, which is in the table by now.
    std::function<void(int, uid_t)> serve;
    // A connection that was not served; for the log. At most one call a second.
    std::function<void(const Error&)> refused;
  };

  // `table` must outlive the listener. The callbacks run on its thread.
  static Result<std::unique_ptr<PeerListener>> Start(ListeningSocket socket, ConnectionTable& table,
                                                     Callbacks callbacks);
  PeerListener(const PeerListener&) = delete;
  PeerListener& operator=(const PeerListener&) = delete;
  // Stops accepting; when it returns no callback runs.
  ~PeerListener();

 private:
  PeerListener(ListeningSocket socket, UniqueFd stop, ConnectionTable& table, Callbacks callbacks);
  void Loop();
  bool AcceptOne();
  void Refuse(const Error& error);

  ListeningSocket socket_;
  UniqueFd stop_;  // eventfd
  ConnectionTable& table_;
  Callbacks callbacks_;
  std::chrono::steady_clock::time_point last_refusal_;
  std::thread thread_;
};

}  // namespace tidewaiter::rpc
