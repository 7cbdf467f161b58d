// The labels and names by which a broker knows its own containers and networks again. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/strong_id.h"
#include "broker/json/json.h"
#include "policy/effective_run.h"

namespace tidewaiter::docker {

inline constexpr std::string_view kLabelPrefix = "io.tidewaiter.";
inline constexpr std::string_view kBrokerLabel = "io.tidewaiter.broker";
inline constexpr std::string_view kRunLabel = "io.tidewaiter.run";
inline constexpr std::string_view kPrincipalLabel = "io.tidewaiter.principal";

// "tw-RUN_ID": name of a run's container and of its network, and the container's host name.
std::string ResourceName(const RunId& run_id);

// The broker's own labels for everything that the run has: broker, run, principal, and
// tenant.challenge, tenant.job, tenant.task where they are set.
std::map<std::string, std::string> OwnLabels(const BrokerId& broker, const RunId& run_id,
                                             std::string_view principal,
                                             const policy::Tenant& tenant);

// Whether a container is a kubelet's (dockershim, cri-dockerd), which gives its containers the
// labels of their pods: those of a pod that this broker's other backend made are not the Docker
// backend's to remove. By the name, too, which no run can choose.
bool IsKubelets(std::string_view name, const Json& labels);

// Whether an engine's label object says: made by this broker, for this run.
bool BelongsTo(const Json& labels, const BrokerId& broker, const RunId& run_id);

}  // namespace tidewaiter::docker
