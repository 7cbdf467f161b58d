// Whether the cluster is going to run what was admitted: what it has against what it was asked for.
// An admission webhook may change either, a Job or its pod. Pure; what the cluster has is a
// stranger's.
#pragma once

#include "base/result.h"
#include "broker/json/json.h"

namespace tidewaiter::kubernetes {

// `body` is JobBody's, `job` the cluster's answer. Each field that was asked for is there as it
// was, quantities by their value, lists with nothing added; and none of those fields is set that
// would widen what the pod may do. Error: ENGINE_DIFFERS, naming the first field.
Result<void> CheckJob(const Json& body, const Json& job);

// The same of a pod, whose `asked` is the Job's template: its spec, and the labels and annotations
// by which the network policy and the broker know it. What every cluster adds to a pod (its node,
// its priority, tolerations) is left out of the comparison.
Result<void> CheckPod(const Json& asked, const Json& pod);

}  // namespace tidewaiter::kubernetes
