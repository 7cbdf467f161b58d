// A run's NetworkPolicy (networking.k8s.io/v1): nothing in, nothing out. Pure.
#pragma once

#include "base/result.h"
#include "base/strong_id.h"
#include "broker/json/json.h"
#include "broker/kubernetes/labels.h"

namespace tidewaiter::kubernetes {

// It selects the run's pods by the run's label and has no rule, which denies all traffic of both
// directions. It exists before the Job does, so that its owner is written into it later.
Json NetworkPolicyBody(const RunId& run_id, const ObjectLabels& labels);

// Whether what the cluster has (`read`) selects and denies as `body` does. Error: ENGINE_DIFFERS,
// naming the field.
Result<void> CheckNetworkPolicy(const Json& body, const Json& read);

// An entry of metadata.ownerReferences that makes the Job the object's owner: the garbage collector
// removes the object with it, and a removal of the Job in the foreground waits for that.
Json OwnerReference(const Json& job);

// A merge patch (RFC 7386) by which an object has that owner alone.
Json OwnerPatch(const Json& job);

}  // namespace tidewaiter::kubernetes
