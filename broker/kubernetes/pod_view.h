// What the broker reads of a pod's status (core/v1 PodStatus): small, so that hundreds may be
// remembered. Pure; what a kubelet reports is bounded and made printable here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/json/json.h"

namespace tidewaiter::kubernetes {

struct ContainerView {
  enum class State { kAbsent, kWaiting, kRunning, kTerminated };
  State state = State::kAbsent;
  std::string reason;   // "ImagePullBackOff", "OOMKilled", ...
  std::string message;  // Kubernetes' own words, cut to 400 bytes
  std::int32_t exit_code = 0;
  std::string image_id;  // as the node's runtime says
  std::optional<std::chrono::system_clock::time_point> started_at;
  std::optional<std::chrono::system_clock::time_point> finished_at;
};

struct PodView {
  std::string name;
  std::string uid;
  std::string phase;   // "Pending", "Running", "Succeeded", "Failed", "Unknown"
  std::string reason;  // of the pod as a whole: "Evicted", "DeadlineExceeded"
  std::string message;
  std::string unschedulable;  // why no node takes it; empty: one has, or none was looked for yet
  bool scheduled = false;
  // When somebody asked for its deletion: the kubelet ends its containers from then on.
  std::optional<std::chrono::system_clock::time_point> deletion_requested_at;
  ContainerView job;
  // The carrier's, where the run has files (file_volumes.h).
  ContainerView preparation;
  ContainerView outputs;

  // It has run its course, whatever of it is known.
  [[nodiscard]] bool Ended() const { return phase == "Succeeded" || phase == "Failed"; }
};

// Whether the job's container runs, or has run.
bool HasStarted(const PodView& pod);

// Nothing where the object has no name or uid.
std::optional<PodView> ReadPod(const Json& pod);

// RFC 3339 in UTC with seconds, as meta/v1 Time is written; nothing for years outside 1970 to 2261.
std::optional<std::chrono::system_clock::time_point> ParseTime(std::string_view text);

}  // namespace tidewaiter::kubernetes
