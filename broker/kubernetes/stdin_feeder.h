// A run's stdin on its way into its pod, by pods/attach, which carries nothing else: the cluster
// takes the end of the connection for the end of stdin (core/v1 Container, stdinOnce). One thread
// of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "base/guarded.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/run_watcher.h"

namespace tidewaiter::kubernetes {

class StdinFeeder {
 public:
  // Both must outlive it. Begins once the run's container has started.
  StdinFeeder(ClusterApi& api, RunWatcher::Tracked& tracked);
  ~StdinFeeder();
  StdinFeeder(const StdinFeeder&) = delete;
  StdinFeeder& operator=(const StdinFeeder&) = delete;

  // As run::Attachment's. Where the connection breaks before all of it was there, the container has
  // read an end that was none, and the run is lost (STDIN_BROKEN); unless it has ended by itself.
  std::size_t Write(std::span<const std::byte> data);
  void SetOnRoom(std::function<void()> on_room);
  void Close();

 private:
  struct Queue {
    std::string bytes;
    bool closed = false;  // nothing comes after them
    bool over = false;    // nobody takes any
    io::WebSocket* socket = nullptr;
  };

  void Feed(const std::stop_token& stop);
  Result<void> FeedInto(io::WebSocket& socket, const std::stop_token& stop);
  // Sends what it takes at once. Whether all is sent that there will be.
  bool SendSome(io::WebSocket& socket);
  void GiveUp();
  void TellRoom();

  ClusterApi& api_;
  RunWatcher::Tracked& tracked_;
  Guarded<Queue> queue_;
  Guarded<std::function<void()>> on_room_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tidewaiter::kubernetes
