// A pod's states as a kubelet reports them, and what its containers do, as their commands say (see
// stand_in_cluster.h). Functions on the object alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tidewaiter::testing {

// How a container ends by itself, if it does.
struct ContainerDeed {
  bool ends = false;
  bool drains = false;  // it ends with its stdin
  int exit_code = 0;
  std::string reason = "Completed";
  std::string message{};
  std::string output{};  // all of it, from the container's start on
};
// A container other than that of the job runs until it is told to end.
ContainerDeed DeedOf(const nlohmann::json& container);

inline constexpr const char* kJobContainerName = "job";
// The carrier's, which ends with 0 on SIGTERM (extract/carrier/hold.h).
inline constexpr const char* kOutputsContainerName = "outputs";

bool HasInitContainers(const nlohmann::json& pod);

void SetScheduled(nlohmann::json& pod);
void SetCreating(nlohmann::json& pod);   // its containers are being made
void SetUnpacking(nlohmann::json& pod);  // its init containers run
// Its init containers have succeeded; the others run, but for those that cannot be started.
void SetRunning(nlohmann::json& pod);
// Ends the containers that end by themselves.
void EndDone(nlohmann::json& pod);
// Ends the one of that name. False: it does not run.
bool EndContainer(nlohmann::json& pod, const std::string& name, int exit_code);
// Ends all that run as SIGTERM does.
void EndKilled(nlohmann::json& pod);

// Whether none of its containers runs, or will.
bool PodEnded(const nlohmann::json& pod);
bool PodRuns(const nlohmann::json& pod);
// The state of one of its containers: {"running": {...}}; null where it has none.
const nlohmann::json& ContainerState(const nlohmann::json& pod, const std::string& name);
// What the pod's spec says of it; null where it has none.
const nlohmann::json& ContainerNamed(const nlohmann::json& pod, const std::string& name);
// The Secrets without which the pod cannot begin.
std::vector<std::string> SecretsOf(const nlohmann::json& pod);

}  // namespace tidewaiter::testing
