#include "tests/support/cluster_controllers.h"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/cluster_defaults.h"
#include "tests/support/cluster_pod.h"

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

bool IsDeleted(const json& object) {
  return object["metadata"].contains("deletionTimestamp");
}

std::string UidOf(const json& object) {
  return object["metadata"]["uid"];
}

bool IsOwnedBy(const json& object, const std::string& uid) {
  for (const json& owner : object["metadata"].value("ownerReferences", json::array())) {
    if (owner["uid"] == uid) return true;
  }
  return false;
}

std::string OwnerOf(const json& pod) {
  const json owners = pod["metadata"].value("ownerReferences", json::array());
  return owners.empty() ? "" : owners[0]["uid"].get<std::string>();
}

json Condition(const char* type) {
  return {{"type", type},
          {"status", "True"},
          {"lastProbeTime", ClusterTime()},
          {"lastTransitionTime", ClusterTime()}};
}

// The letters of which the API server makes names (apimachinery, util/rand).
std::string Suffix(std::size_t number) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix;
  for (int i = 0; i < 5; ++i) {
    suffix += kLetters[number % kLetters.size()];
    number /= kLetters.size();
  }
  return suffix;
}

}  // namespace

std::vector<std::string> ClusterControllers::PodsOf(const std::string& job_uid) {
  std::vector<std::string> uids;
  store_.ForEach("pods", [&](json& pod) {
    if (IsOwnedBy(pod, job_uid)) uids.push_back(UidOf(pod));
  });
  return uids;
}

void ClusterControllers::LookAt(const json& job) {
  if (IsDeleted(job)) return;
  const std::string uid = UidOf(job);
  const bool wanted = job["spec"]["parallelism"] != 0;
  const bool finished = job["status"].contains("conditions");
  if (wanted && !finished) {
    later_(pace_, [this, uid] { MakePod(uid); });
  } else if (!wanted && made_.contains(uid)) {
    later_(pace_, [this, uid] {
      for (const std::string& one : PodsOf(uid)) {
        json* const pod = store_.FindUid("pods", one);
        if (pod != nullptr && !PodEnded(*pod) && !IsDeleted(*pod)) DeletePod(*pod, -1);
      }
    });
  }
}

void ClusterControllers::MakePod(const std::string& job_uid) {
  json* const job = store_.FindUid("jobs", job_uid);
  if (job == nullptr || IsDeleted(*job) || (*job)["spec"]["parallelism"] == 0) return;
  if ((*job)["status"].contains("conditions")) return;
  for (const std::string& one : PodsOf(job_uid)) {
    if (!IsDeleted(*store_.FindUid("pods", one))) return;
  }
  if (made_[job_uid]++ > 0) ++second_pods_;
  const std::string uid = UidOf(store_.Add("pods", PodOf(*job, Suffix(next_suffix_++))));
  (*job)["status"]["active"] = 1;
  (*job)["status"]["startTime"] = ClusterTime();
  store_.Changed("jobs", *job);
  later_(pace_, [this, uid] {
    Advance(uid, SetScheduled);
    later_(pace_, [this, uid] {
      Advance(uid, SetCreating);
      later_(pace_, [this, uid] { Begin(uid); });
    });
  });
}

// A kubelet waits for what it has to mount.
void ClusterControllers::Begin(const std::string& pod_uid) {
  const json* const pod = store_.FindUid("pods", pod_uid);
  if (pod == nullptr || IsDeleted(*pod)) return;
  for (const std::string& secret : SecretsOf(*pod)) {
    if (store_.Find("secrets", secret) != nullptr) continue;
    later_(pace_, [this, pod_uid] { Begin(pod_uid); });
    return;
  }
  const auto run = [this, pod_uid] {
    Advance(pod_uid, SetRunning);
    later_(pace_, [this, pod_uid] { End(pod_uid); });
  };
  if (!HasInitContainers(*pod)) return run();
  Advance(pod_uid, SetUnpacking);
  later_(pace_, run);
}

void ClusterControllers::Advance(const std::string& pod_uid, void (*change)(json&)) {
  json* const pod = store_.FindUid("pods", pod_uid);
  if (pod == nullptr || IsDeleted(*pod)) return;
  change(*pod);
  store_.Changed("pods", *pod);
  on_pod_((*pod)["metadata"]["name"]);
}

void ClusterControllers::End(const std::string& pod_uid) {
  json* const pod = store_.FindUid("pods", pod_uid);
  if (pod == nullptr || IsDeleted(*pod)) return;
  const json before = (*pod)["status"];
  EndDone(*pod);
  if ((*pod)["status"] != before) {
    store_.Changed("pods", *pod);
    on_pod_((*pod)["metadata"]["name"]);
  }
  if (PodEnded(*pod)) CountEnd(*pod);
}

void ClusterControllers::EndContainer(const std::string& pod_uid, const std::string& name,
                                      int exit_code) {
  later_(pace_, [this, pod_uid, name, exit_code] {
    json* const pod = store_.FindUid("pods", pod_uid);
    if (pod == nullptr || !testing::EndContainer(*pod, name, exit_code)) return;
    store_.Changed("pods", *pod);
    on_pod_((*pod)["metadata"]["name"]);
    if (PodEnded(*pod)) CountEnd(*pod);
  });
}

void ClusterControllers::CountEnd(const json& pod) {
  json* const job = store_.FindUid("jobs", OwnerOf(pod));
  if (job == nullptr) return;
  json& status = (*job)["status"];
  status.erase("active");
  const bool succeeded = pod["status"]["phase"] == "Succeeded";
  status[succeeded ? "succeeded" : "failed"] = 1;
  if (succeeded) {
    status["completionTime"] = ClusterTime();
    status["conditions"] = json::array({Condition("Complete")});
  } else if ((*job)["spec"]["parallelism"] != 0) {
    status["conditions"] = json::array({Condition("Failed")});
    status["conditions"][0]["reason"] = "BackoffLimitExceeded";
    status["conditions"][0]["message"] = "Job has reached the specified backoff limit";
  }
  store_.Changed("jobs", *job);
}

void ClusterControllers::DeletePod(json& pod, long grace_seconds) {
  if (!pod["spec"].contains("nodeName")) {
    RemovePod(pod);
    return;
  }
  json& metadata = pod["metadata"];
  const bool first = !metadata.contains("deletionTimestamp");
  const long own = pod["spec"].value("terminationGracePeriodSeconds", 30L);
  const long grace = grace_seconds < 0 ? own : grace_seconds;
  if (!first && metadata["deletionGracePeriodSeconds"] <= grace) return;
  metadata["deletionTimestamp"] = ClusterTime(std::chrono::seconds(grace));
  metadata["deletionGracePeriodSeconds"] = grace;
  store_.Changed("pods", pod);
  if (first) later_(pace_, [this, uid = UidOf(pod)] { Terminate(uid); });
}

void ClusterControllers::Terminate(const std::string& pod_uid) {
  json* const pod = store_.FindUid("pods", pod_uid);
  if (pod == nullptr) return;
  const bool ran = PodRuns(*pod);
  EndKilled(*pod);
  if (ran) {
    store_.Changed("pods", *pod);
    on_pod_((*pod)["metadata"]["name"]);
    CountEnd(*pod);
  }
  later_(pace_, [this, pod_uid] {
    if (json* const ended = store_.FindUid("pods", pod_uid)) RemovePod(*ended);
  });
}

void ClusterControllers::RemovePod(json& pod) {
  const std::string owner = OwnerOf(pod);
  const std::string name = pod["metadata"]["name"];
  store_.Remove("pods", name);
  on_pod_(name);
  if (owner.empty()) return;
  later_(pace_, [this, owner] {
    json* const job = store_.FindUid("jobs", owner);
    if (job == nullptr) return;
    if (IsDeleted(*job)) CollectForeground(owner);
    if (!IsDeleted(*job)) LookAt(*job);
  });
}

void ClusterControllers::LoseNodes() {
  std::vector<std::string> uids;
  store_.ForEach("pods", [&](json& pod) {
    if (!OwnerOf(pod).empty()) uids.push_back(UidOf(pod));
  });
  for (const std::string& uid : uids) {
    json& pod = *store_.FindUid("pods", uid);
    --made_[OwnerOf(pod)];
    RemovePod(pod);
  }
}

// Pods go first, in their own time; the Job goes with the last of them.
void ClusterControllers::CollectForeground(const std::string& job_uid) {
  later_(pace_, [this, job_uid] {
    json* const job = store_.FindUid("jobs", job_uid);
    if (job == nullptr) return;
    RemoveOwned(job_uid);
    if (PodsOf(job_uid).empty()) store_.Remove("jobs", (*job)["metadata"]["name"]);
  });
}

void ClusterControllers::CollectOrphans(const std::string& owner_uid) {
  later_(pace_, [this, owner_uid] { RemoveOwned(owner_uid); });
}

void ClusterControllers::RemoveOwned(const std::string& owner_uid) {
  for (const char* plural : {"networkpolicies", "secrets"}) {
    std::vector<std::string> names;
    store_.ForEach(plural, [&](json& object) {
      if (IsOwnedBy(object, owner_uid)) names.push_back(object["metadata"]["name"]);
    });
    for (const std::string& name : names) store_.Remove(plural, name);
  }
  for (const std::string& uid : PodsOf(owner_uid)) {
    json* const pod = store_.FindUid("pods", uid);
    if (pod != nullptr && !IsDeleted(*pod)) DeletePod(*pod, -1);
  }
}

}  // namespace tidewaiter::testing
