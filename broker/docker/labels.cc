#include "broker/docker/labels.h"

namespace tidewaiter::docker {

std::string ResourceName(const RunId& run_id) {
  return "tw-" + run_id.value();
}

std::map<std::string, std::string> OwnLabels(const BrokerId& broker, const RunId& run_id,
                                             std::string_view principal,
                                             const policy::Tenant& tenant) {
  std::map<std::string, std::string> labels{
      {std::string(kBrokerLabel), broker.value()},
      {std::string(kRunLabel), run_id.value()},
      {std::string(kPrincipalLabel), std::string(principal)},
  };
  const auto add = [&labels](std::string_view name, const std::string& value) {
    if (!value.empty()) labels.emplace(std::string(kLabelPrefix).append(name), value);
  };
  add("tenant.challenge", tenant.challenge);
  add("tenant.job", tenant.job);
  add("tenant.task", tenant.task);
  return labels;
}

bool IsKubelets(std::string_view name, const Json& labels) {
  return name.starts_with("k8s_") && labels.contains("io.kubernetes.pod.uid");
}

bool BelongsTo(const Json& labels, const BrokerId& broker, const RunId& run_id) {
  return !broker.empty() && !run_id.empty() && TextAt(labels, kBrokerLabel) == broker.value() &&
         TextAt(labels, kRunLabel) == run_id.value();
}

}  // namespace tidewaiter::docker
