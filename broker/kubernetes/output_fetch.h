// An output on its way out of its pod: the carrier packs it beside the job's container, which has
// ended, and the archive comes by pods/exec. On the run's thread.
#pragma once

#include "base/result.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// run::Container::FetchOutput. Asked again, as long as nothing of the archive has come, where the
// cluster or the carrier cannot be reached.
Result<run::Omissions> FetchOutput(ClusterApi& api, RunWatcher::Tracked& tracked,
                                   const run::OutputRequest& request,
                                   const run::ArchiveWriter& write, const run::Patience& patience);

}  // namespace tidewaiter::kubernetes
