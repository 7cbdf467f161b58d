// An API server for faults and scale, with the Job controller, the garbage collector and the
// kubelet behind it: answers the calls of the Kubernetes API that this project makes, as the real
// one was recorded to (tests/integration/kubernetes checks it against the real one). Plain HTTP;
// it has one namespace, whatever it is called. What the container "job" of a pod does is written in
// its command:
//   ["exit", "N"]        ends at once with status N
//   ["print", TEXT]      writes TEXT, then exits 0
//   ["say", TEXT]        writes TEXT, then runs until it is killed
//   ["flood", BYTES]     writes so many bytes, then exits 0
//   ["missing", PROGRAM] cannot be started: there is no such program
//   ["drain", N]         reads its stdin to its end, then exits with status N
//   ["refused", ANY]     its Job cannot be created: the server answers 422
//   anything else        runs until it is killed
// Init containers succeed at once, once the Secrets are there. Other containers run until their pod
// is deleted; the carrier's, until the last output has been packed, too (cluster_exec.h).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_controllers.h"
#include "tests/support/cluster_store.h"
#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

class StandInCluster {
 public:
  // `pace`: of each step that a controller or a kubelet takes. Where it is far below what it is in
  // a real cluster, a watch may tell of a consequence before another one tells of its cause.
  explicit StandInCluster(std::chrono::milliseconds pace = std::chrono::milliseconds(4));
  ~StandInCluster();
  StandInCluster(const StandInCluster&) = delete;
  StandInCluster& operator=(const StandInCluster&) = delete;

  // "127.0.0.1:PORT".
  [[nodiscard]] const std::string& address() const { return server_->address(); }

  // "METHOD /path" of every call so far, watches apart.
  [[nodiscard]] std::vector<std::string> Calls() const;
  // How many watches were opened so far.
  [[nodiscard]] std::size_t Watches() const;
  [[nodiscard]] std::size_t Count(const std::string& plural) const;
  // An object that nobody asked for, as left by someone.
  void Plant(const std::string& plural, const std::string& name, const nlohmann::json& labels);
  // All that it holds but events: {"Kind", "Name", "Uid", "Version", "Labels"}.
  [[nodiscard]] std::vector<nlohmann::json> Holdings() const;
  // Pods that were made for a Job that had one before.
  [[nodiscard]] std::size_t SecondPods() const;
  // Changes until now cannot be watched any more: 410, as after a compaction.
  void ForgetChanges();
  // All nodes are gone: pods of Jobs go with them, and are made anew.
  void LoseNodes();

 private:
  using Clock = std::chrono::steady_clock;
  struct Target;
  void Handle(const StandInRequest& request, StandInConnection& connection);
  void Dispatch(const StandInRequest& request, const Target& target, StandInConnection& connection);
  void Create(const StandInRequest& request, const Target& target, StandInConnection& connection);
  void Patch(const StandInRequest& request, nlohmann::json& object, const Target& target,
             StandInConnection& connection);
  void Delete(const StandInRequest& request, nlohmann::json& object, const Target& target,
              StandInConnection& connection);
  void Watch(const StandInRequest& request, const Target& target, StandInConnection& connection);
  void Log(const StandInRequest& request, const Target& target, StandInConnection& connection);
  void Exec(const StandInRequest& request, const Target& target, StandInConnection& connection);
  void Attach(const StandInRequest& request, const Target& target, StandInConnection& connection);
  // Of the pod that is named, if it can be gone into; else it is refused, and this is null.
  const nlohmann::json* Enter(const StandInRequest& request, const Target& target,
                              StandInConnection& connection);
  void Later(std::chrono::milliseconds delay, std::function<void()> step);
  void Work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // the store's version, stopping_
  std::condition_variable due_;      // steps_, stopping_
  bool stopping_ = false;
  std::vector<std::string> calls_;
  std::size_t watches_ = 0;
  ClusterStore store_;
  std::multimap<Clock::time_point, std::function<void()>> steps_;  // by when they are due
  // Of those who follow the log of the pod of that name.
  std::multimap<std::string, std::condition_variable*> followers_;
  ClusterControllers controllers_;
  std::thread worker_;
  std::unique_ptr<StandInServer> server_;  // last: its threads use what stands above
};

}  // namespace tidewaiter::testing
