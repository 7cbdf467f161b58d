#include "broker/kubernetes/pod_end.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "base/result.h"

namespace tidewaiter::kubernetes {
namespace {

using State = ContainerView::State;

template <std::size_t N>
bool IsOneOf(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The kubelet's (pkg/kubelet/images/types.go); the last two cannot pass.
constexpr std::array<std::string_view, 6> kImageReasons{"ErrImagePull",      "ImagePullBackOff",
                                                        "ImageInspectError", "RegistryUnavailable",
                                                        "ErrImageNeverPull", "InvalidImageName"};
constexpr std::array<std::string_view, 2> kFinalImageReasons{"ErrImageNeverPull",
                                                             "InvalidImageName"};
// The kubelet's (pkg/kubelet/kuberuntime/kuberuntime_container.go).
constexpr std::array<std::string_view, 4> kConfigReasons{"CreateContainerConfigError",
                                                         "CreateContainerError",
                                                         "PreCreateHookError", "RunContainerError"};
// Of a container of which the node has lost sight: its exit code is nobody's word (kubelet,
// "ContainerStatusUnknown"; containerd's CRI plugin, "Unknown").
constexpr std::array<std::string_view, 2> kUnknownReasons{"ContainerStatusUnknown", "Unknown"};
// Of a container that the runtime could not start: dockershim's and containerd's word for it.
constexpr std::array<std::string_view, 2> kStartReasons{"ContainerCannotRun", "StartError"};

std::string Told(std::string_view reason, std::string_view message) {
  std::string text(reason);
  if (!message.empty()) text.append(text.empty() ? "" : ": ").append(message);
  return text;
}

run::ContainerExit Lost(std::string_view reason, std::string message) {
  run::ContainerExit exit;
  exit.lost = Fail(ErrorCode::kUnavailable, std::move(message), reason);
  return exit;
}

// 127 or 126 where the runtime's words say that the command is the reason; they are runc's.
std::optional<int> CommandFailure(std::string_view message) {
  const auto says = [message](std::string_view words) {
    return message.find(words) != std::string_view::npos;
  };
  if (!says("exec: ")) return std::nullopt;
  if (says("executable file not found") || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory") || says("exec format error")) return 126;
  return std::nullopt;
}

run::ContainerExit Terminated(const ContainerView& job) {
  if (IsOneOf(job.reason, kUnknownReasons)) {
    return Lost("POD_FAILED",
                "the node does not know how the container ended: " + Told(job.reason, job.message));
  }
  run::ContainerExit exit;
  exit.exit_code = job.exit_code;
  if (job.started_at && job.finished_at && *job.finished_at >= *job.started_at) {
    exit.ran =
        std::chrono::duration_cast<std::chrono::milliseconds>(*job.finished_at - *job.started_at);
  }
  exit.oom_killed = job.reason == "OOMKilled";
  if (!IsOneOf(job.reason, kStartReasons)) return exit;
  const std::optional<int> failure = CommandFailure(job.message);
  if (!failure) {
    return Lost("CONTAINER_CONFIG", "start the container: " + Told(job.reason, job.message));
  }
  exit.exit_code = *failure;
  exit.command_failed = true;
  exit.message = job.message;
  return exit;
}

Hindrance HindranceOf(const ContainerView& container, std::string_view whose) {
  using Kind = Hindrance::Kind;
  if (container.state != State::kWaiting) return {};
  const std::string told = std::string(whose) + ": " + Told(container.reason, container.message);
  if (IsOneOf(container.reason, kImageReasons)) {
    return {.kind = Kind::kImage,
            .final = IsOneOf(container.reason, kFinalImageReasons),
            .error = Fail(ErrorCode::kUnavailable, "pull the image" + told, "IMAGE_UNAVAILABLE")};
  }
  if (IsOneOf(container.reason, kConfigReasons)) {
    return {.kind = Kind::kConfig,
            .final = false,
            .error = Fail(ErrorCode::kFailedPrecondition, "create the container" + told,
                          "CONTAINER_CONFIG")};
  }
  return {};
}

// Whether the container had ended before anybody asked for the pod's deletion. Both are told in
// whole seconds; within the same one a container that died by a kill's signal was killed.
bool EndedBefore(const ContainerView& job, std::chrono::system_clock::time_point request) {
  constexpr std::int32_t kTerminatedCode = 128 + 15;
  constexpr std::int32_t kKilledCode = 128 + 9;
  if (job.state != State::kTerminated || !job.finished_at) return false;
  const bool killed = job.exit_code == kTerminatedCode || job.exit_code == kKilledCode;
  return *job.finished_at < request || (*job.finished_at == request && !killed);
}

}  // namespace

std::optional<run::ContainerExit> EndOf(const PodView& pod, bool kill_expected) {
  // First: an evicted container was killed like any other one.
  if (pod.reason == "Evicted") {
    return Lost("EVICTED", "the pod was evicted: " + Told("", pod.message));
  }
  if (pod.reason == "DeadlineExceeded") {
    return Lost("JOB_DEADLINE_EXCEEDED",
                "the pod reached its deadline: " + Told(pod.reason, pod.message));
  }
  if (pod.deletion_requested_at && !kill_expected &&
      !EndedBefore(pod.job, *pod.deletion_requested_at)) {
    return Lost("CONTAINER_LOST", "the pod is being deleted behind the broker's back");
  }
  const ContainerView& preparation = pod.preparation;
  if (preparation.state == State::kTerminated && preparation.exit_code != 0) {
    return Lost("PREPARE_FAILED", "prepare the run's files in the pod: status " +
                                      std::to_string(preparation.exit_code) + ": " +
                                      Told(preparation.reason, preparation.message));
  }
  if (pod.job.state == State::kTerminated) return Terminated(pod.job);
  if (!pod.Ended()) return std::nullopt;
  return Lost("POD_FAILED",
              "the pod is " + Quoted(pod.phase) +
                  " without an end of its container: " + Told(pod.reason, pod.message));
}

Hindrance HindranceOf(const PodView& pod) {
  using Kind = Hindrance::Kind;
  if (!pod.scheduled && !pod.unschedulable.empty()) {
    return {.kind = Kind::kUnschedulable,
            .final = false,
            .error = Fail(ErrorCode::kResourceExhausted,
                          "no node takes the pod: " + pod.unschedulable, "UNSCHEDULABLE")};
  }
  struct Named {
    const ContainerView& container;
    std::string_view whose;
  };
  for (const auto& [container, whose] :
       {Named{pod.preparation, " of the carrier"}, Named{pod.outputs, " of the carrier"},
        Named{pod.job, ""}}) {
    Hindrance hindrance = HindranceOf(container, whose);
    if (hindrance.kind != Kind::kNone) return hindrance;
  }
  return {};
}

}  // namespace tidewaiter::kubernetes
