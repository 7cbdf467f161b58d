// How a pod's state is read as the end of a run, or as a reason why it does not begin. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "broker/kubernetes/pod_view.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// Nothing while the job's container may still run. `kill_expected`: the broker itself has asked for
// the pod's deletion. Of `lost`, the reasons, each with Kubernetes' own message: EVICTED,
// JOB_DEADLINE_EXCEEDED, POD_FAILED (ended without its container's having told how, or with a code
// that the node has made up), CONTAINER_LOST (somebody else is deleting it).
std::optional<run::ContainerExit> EndOf(const PodView& pod, bool kill_expected);

// What keeps a container from starting. Kubernetes would try for ever; how long that is waited for
// is the backend's.
struct Hindrance {
  enum class Kind { kNone, kUnschedulable, kImage, kConfig };
  Kind kind = Kind::kNone;
  bool final = false;  // trying again cannot help
  // UNSCHEDULABLE (RESOURCE_EXHAUSTED: try again later), IMAGE_UNAVAILABLE, CONTAINER_CONFIG.
  Error error;
};
Hindrance HindranceOf(const PodView& pod);

}  // namespace tidewaiter::kubernetes
