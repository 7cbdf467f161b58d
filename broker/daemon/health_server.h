// Answers probes over HTTP. One thread of its own, which waits for nothing but its sockets: a probe
// is answered while everything else hangs. Who asks is not asked who it is, so nothing here costs
// more than a few kilobytes for a few seconds: each connection has one request, a bounded head and
// a deadline, and when too many are open the oldest gives way.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/daemon/health_answer.h"
#include "broker/daemon/health_connection.h"
#include "broker/daemon/health_sockets.h"

namespace tidewaiter::daemon {

class HealthServer {
 public:
  struct Settings {
    std::size_t max_connections = 64;
    std::chrono::milliseconds deadline{std::chrono::seconds(5)};  // of a connection, from its start
  };
  // Called on the server's thread for each request; must not block.
  using Reporter = std::function<HealthReport()>;

  static Result<std::unique_ptr<HealthServer>> Start(HealthSockets sockets,
                                                     const Settings& settings, Reporter reporter);
  HealthServer(const HealthServer&) = delete;
  HealthServer& operator=(const HealthServer&) = delete;
  // Hangs up on whoever is connected; the reporter is called no more.
  ~HealthServer();

 private:
  HealthServer(HealthSockets sockets, const Settings& settings, Reporter reporter, UniqueFd stop);
  void Loop();
  // False where the process is out of descriptors.
  bool Accept(int listener);
  void HangUpWhereLate();
  [[nodiscard]] int PatienceMs(bool out_of_descriptors) const;

  const HealthSockets sockets_;
  const Settings settings_;
  const Reporter reporter_;
  const UniqueFd stop_;                      // eventfd
  std::list<HealthConnection> connections_;  // in the order in which they came
  std::thread thread_;
};

}  // namespace tidewaiter::daemon
