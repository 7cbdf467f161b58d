#include "tests/support/cluster_pod.h"

#include <cstdlib>
#include <utility>

#include "tests/support/cluster_store.h"

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

constexpr int kTerminated = 128 + 15;

// "$$" is how a manifest writes "$".
std::string Expanded(const std::string& word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '$' && i + 1 < word.size() && word[i + 1] == '$') ++i;
    text += word[i];
  }
  return text;
}

json StatusOf(const json& container, json state, bool runs) {
  return {{"name", container["name"]},
          {"image", container["image"]},
          {"imageID", runs ? "docker-pullable://" + container["image"].get<std::string>() : ""},
          {"lastState", json::object()},
          {"ready", runs},
          {"restartCount", 0},
          {"started", runs},
          {"state", std::move(state)}};
}

void SetCondition(json& pod, const char* type, const char* status) {
  json& conditions = pod["status"]["conditions"];
  if (!conditions.is_array()) conditions = json::array();
  for (json& condition : conditions) {
    if (condition["type"] != type) continue;
    condition["status"] = status;
    return;
  }
  conditions.push_back({{"type", type},
                        {"status", status},
                        {"lastProbeTime", nullptr},
                        {"lastTransitionTime", ClusterTime()}});
}

void Terminate(json& status, int exit_code, const std::string& reason, const std::string& message) {
  json ended{{"exitCode", exit_code},
             {"reason", reason},
             {"startedAt", status["state"]["running"]["startedAt"]},
             {"finishedAt", ClusterTime()},
             {"containerID", "docker://" + std::string(64, 'c')}};
  if (!message.empty()) ended["message"] = message;
  status["state"] = {{"terminated", std::move(ended)}};
  status["ready"] = false;
  status["started"] = false;
}

// The phase follows from the containers, once none runs.
void Conclude(json& pod) {
  bool failed = false;
  for (const json& status : pod["status"]["containerStatuses"]) {
    const json& state = status["state"];
    if (!state.contains("terminated")) return;
    failed = failed || state["terminated"]["exitCode"] != 0;
  }
  pod["status"]["phase"] = failed ? "Failed" : "Succeeded";
  for (const char* type : {"Ready", "ContainersReady"}) SetCondition(pod, type, "False");
}

std::string EndReason(int exit_code) {
  return exit_code == 0 ? "Completed" : "Error";
}

}  // namespace

ContainerDeed DeedOf(const json& container) {
  ContainerDeed deed;
  const json command = container.value("command", json::array());
  if (container["name"] != kJobContainerName || command.size() != 2) return deed;
  const std::string verb = command[0];
  const std::string word = Expanded(command[1]);
  if (verb == "exit") {
    deed.ends = true;
    deed.exit_code = std::atoi(word.c_str());
    deed.reason = EndReason(deed.exit_code);
  } else if (verb == "drain") {
    deed.drains = true;
    deed.exit_code = std::atoi(word.c_str());
  } else if (verb == "print" || verb == "say") {
    deed.ends = verb == "print";
    deed.output = word;
  } else if (verb == "flood") {
    deed.ends = true;
    deed.output = std::string(std::strtoul(word.c_str(), nullptr, 10), 'x');
  } else if (verb == "missing") {
    deed.ends = true;
    deed.exit_code = 127;
    deed.reason = "ContainerCannotRun";
    deed.message =
        "OCI runtime create failed: runc create failed: unable to start container "
        "process: exec: \"" +
        word + "\": executable file not found in $PATH: unknown";
  }
  return deed;
}

void SetScheduled(json& pod) {
  pod["spec"]["nodeName"] = "stand-in";
  SetCondition(pod, "PodScheduled", "True");
}

bool HasInitContainers(const json& pod) {
  return !pod["spec"].value("initContainers", json::array()).empty();
}

void SetCreating(json& pod) {
  json& status = pod["status"];
  const bool inits = HasInitContainers(pod);
  status["startTime"] = ClusterTime();
  status["hostIP"] = "192.0.2.10";
  SetCondition(pod, "Initialized", inits ? "False" : "True");
  for (const char* type : {"Ready", "ContainersReady"}) SetCondition(pod, type, "False");
  const json waiting{{"waiting", {{"reason", inits ? "PodInitializing" : "ContainerCreating"}}}};
  for (const json& container : pod["spec"].value("initContainers", json::array())) {
    status["initContainerStatuses"].push_back(StatusOf(container, waiting, false));
  }
  for (const json& container : pod["spec"]["containers"]) {
    status["containerStatuses"].push_back(StatusOf(container, waiting, false));
  }
}

void SetUnpacking(json& pod) {
  pod["status"]["podIP"] = "192.0.2.11";
  for (json& one : pod["status"]["initContainerStatuses"]) {
    one["state"] = {{"running", {{"startedAt", ClusterTime()}}}};
  }
}

void SetRunning(json& pod) {
  json& status = pod["status"];
  status["phase"] = "Running";
  status["podIP"] = "192.0.2.11";
  for (const char* type : {"Initialized", "Ready", "ContainersReady"}) {
    SetCondition(pod, type, "True");
  }
  if (HasInitContainers(pod)) {
    for (json& one : status["initContainerStatuses"]) Terminate(one, 0, "Completed", "");
  }
  json statuses = json::array();
  for (const json& container : pod["spec"]["containers"]) {
    const ContainerDeed deed = DeedOf(container);
    json one = StatusOf(container, {{"running", {{"startedAt", ClusterTime()}}}}, true);
    if (deed.reason == "ContainerCannotRun") {
      Terminate(one, deed.exit_code, deed.reason, deed.message);
    }
    statuses.push_back(std::move(one));
  }
  status["containerStatuses"] = std::move(statuses);
  Conclude(pod);
}

void EndDone(json& pod) {
  for (json& status : pod["status"]["containerStatuses"]) {
    const ContainerDeed deed = DeedOf(ContainerNamed(pod, status["name"]));
    if (!deed.ends || !status["state"].contains("running")) continue;
    Terminate(status, deed.exit_code, deed.reason, deed.message);
  }
  Conclude(pod);
}

bool EndContainer(json& pod, const std::string& name, int exit_code) {
  if (!ContainerState(pod, name).contains("running")) return false;
  for (json& status : pod["status"]["containerStatuses"]) {
    if (status["name"] == name) Terminate(status, exit_code, EndReason(exit_code), "");
  }
  Conclude(pod);
  return true;
}

void EndKilled(json& pod) {
  for (json& status : pod["status"]["containerStatuses"]) {
    if (!status["state"].contains("running")) continue;
    const int exit_code = status["name"] == kOutputsContainerName ? 0 : kTerminated;
    Terminate(status, exit_code, EndReason(exit_code), "");
  }
  Conclude(pod);
}

bool PodEnded(const json& pod) {
  const std::string phase = pod["status"]["phase"];
  return phase == "Succeeded" || phase == "Failed";
}

bool PodRuns(const json& pod) {
  return pod["status"]["phase"] == "Running";
}

const json& ContainerState(const json& pod, const std::string& name) {
  static const json kNone;
  const json& status = pod["status"];
  if (!status.contains("containerStatuses")) return kNone;
  for (const json& one : status["containerStatuses"]) {
    if (one["name"] == name) return one["state"];
  }
  return kNone;
}

const json& ContainerNamed(const json& pod, const std::string& name) {
  static const json kNone;
  for (const json& container : pod["spec"]["containers"]) {
    if (container["name"] == name) return container;
  }
  return kNone;
}

std::vector<std::string> SecretsOf(const json& pod) {
  std::vector<std::string> names;
  for (const json& volume : pod["spec"].value("volumes", json::array())) {
    if (!volume.contains("projected")) continue;
    for (const json& source : volume["projected"]["sources"]) {
      if (source.contains("secret")) names.push_back(source["secret"]["name"]);
    }
  }
  return names;
}

}  // namespace tidewaiter::testing
