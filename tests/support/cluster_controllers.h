// What the Job controller, the garbage collector and a kubelet do of their own accord, each in
// small steps one after another, as they come. Not thread-safe: its owner's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/cluster_store.h"

namespace tidewaiter::testing {

class ClusterControllers {
 public:
  using Step = std::function<void()>;
  using Later = std::function<void(std::chrono::milliseconds, Step)>;
  // `pace`: of each step. `later`: does it after that time, in the order in which they are due.
  // `on_pod`: of this name has changed in what its log says, or in whether it will say more.
  ClusterControllers(ClusterStore& store, std::chrono::milliseconds pace, Later later,
                     std::function<void(const std::string&)> on_pod)
      : store_(store), pace_(pace), later_(std::move(later)), on_pod_(std::move(on_pod)) {}

  // It was created or patched.
  void LookAt(const nlohmann::json& job);
  // Gives it `grace_seconds`, or what its spec says where negative; one that has ended goes at
  // once.
  void DeletePod(nlohmann::json& pod, long grace_seconds);
  // After the Job has been marked for deletion in the foreground.
  void CollectForeground(const std::string& job_uid);
  // Of that pod, by itself.
  void EndContainer(const std::string& pod_uid, const std::string& name, int exit_code);
  // What a thing that is gone owned.
  void CollectOrphans(const std::string& owner_uid);

  // Every Job's pods go at once, with their nodes, and others are made in their place.
  void LoseNodes();

  // Pods of Jobs that had one before, but for what LoseNodes has made necessary.
  [[nodiscard]] std::size_t second_pods() const { return second_pods_; }

 private:
  void MakePod(const std::string& job_uid);
  void Begin(const std::string& pod_uid);
  void Advance(const std::string& pod_uid, void (*change)(nlohmann::json&));
  void End(const std::string& pod_uid);
  void Terminate(const std::string& pod_uid);
  void RemovePod(nlohmann::json& pod);
  void CountEnd(const nlohmann::json& pod);
  [[nodiscard]] std::vector<std::string> PodsOf(const std::string& job_uid);
  void RemoveOwned(const std::string& owner_uid);

  ClusterStore& store_;
  const std::chrono::milliseconds pace_;
  const Later later_;
  const std::function<void(const std::string&)> on_pod_;
  std::map<std::string, std::size_t> made_;  // pods, by their Job's uid
  std::size_t second_pods_ = 0;
  std::size_t next_suffix_ = 0;
};

}  // namespace tidewaiter::testing
