// Whether the broker may do what it has to do in its namespace, asked of the cluster itself.
// Blocks.
#pragma once

#include <string>
#include <vector>

#include "broker/kubernetes/cluster_api.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// A line for each right of deploy/kubernetes/role.yaml that is missing ("the right to create
// pods"), and for what else the cluster says against a run's first object, which is created as a
// dry run (the namespace is missing or terminating, a quota is used up). An error is one such line,
// too.
std::vector<std::string> FindShortfalls(ClusterApi& api, const run::Patience& patience);

}  // namespace tidewaiter::kubernetes
