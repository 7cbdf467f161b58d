#include "broker/kubernetes/network_policy.h"

#include <string>

#include "base/printable.h"

namespace tidewaiter::kubernetes {

Json NetworkPolicyBody(const RunId& run_id, const ObjectLabels& labels) {
  return {
      {"apiVersion", "networking.k8s.io/v1"},
      {"kind", "NetworkPolicy"},
      {"metadata",
       {{"name", ObjectName(run_id)},
        {"labels", labels.labels},
        {"annotations", labels.annotations}}},
      {"spec",
       {{"podSelector", {{"matchLabels", {{kRunLabel, run_id.value()}}}}},
        {"policyTypes", Json::array({"Ingress", "Egress"})}}},
  };
}

Result<void> CheckNetworkPolicy(const Json& body, const Json& read) {
  const Json& spec = At(read, {"spec"});
  const auto differs = [](std::string_view field) {
    return Fail(ErrorCode::kFailedPrecondition,
                "read back the network policy: the cluster has another " + Quoted(field) +
                    " than was asked for",
                "ENGINE_DIFFERS");
  };
  if (At(spec, {"podSelector"}) != At(body, {"spec", "podSelector"})) {
    return differs("spec.podSelector");
  }
  if (At(spec, {"policyTypes"}) != At(body, {"spec", "policyTypes"})) {
    return differs("spec.policyTypes");
  }
  // Absent or empty is "nothing is allowed"; an entry would allow something.
  for (const char* rules : {"ingress", "egress"}) {
    const Json& found = At(spec, {rules});
    if (!found.is_null() && !found.empty()) return differs("spec." + std::string(rules));
  }
  return Ok();
}

Json OwnerReference(const Json& job) {
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"name", TextAt(At(job, {"metadata"}), "name")},
          {"uid", TextAt(At(job, {"metadata"}), "uid")},
          {"controller", false},
          {"blockOwnerDeletion", true}};
}

Json OwnerPatch(const Json& job) {
  return {{"metadata", {{"ownerReferences", Json::array({OwnerReference(job)})}}}};
}

}  // namespace tidewaiter::kubernetes
