// One reading of a container's log from where somebody's copy ends.
#pragma once

#include <string>

#include "base/result.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// run::Container::ReadLog. The whole log comes over the connection, and what is there already is
// passed over: the cluster cannot be asked for less. stdout and stderr are one (stdout). Errors
// besides the cluster's: LOG_INCOMPLETE where the log is shorter than the copy, or another one.
Result<bool> ReadLogFrom(ClusterApi& api, const std::string& pod, run::LogPosition& position,
                         const run::LogTaker& take, const run::Patience& patience);

}  // namespace tidewaiter::kubernetes
