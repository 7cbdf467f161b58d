// Removes what a run has in the cluster, by exact name and uid, and confirms that it is gone.
// Thread-safe; blocks.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/kubernetes/settings.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

class Remover {
 public:
  Remover(ClusterApi& api, RunWatcher& watcher, const KubernetesSettings& settings)
      : api_(api), watcher_(watcher), settings_(settings) {}

  // run::Backend::Remove. A Job goes in the foreground: after its pods and all that it owns.
  run::Removal Remove(const run::Resource& resource, const RunId& run_id, Deadline deadline);

  // The answer to its creation has been lost, and is given up at `given_up`: for settle_time more
  // its absence is not believed.
  void ExpectLater(const run::Resource& resource, Deadline given_up);

 private:
  Result<void> RemoveNamed(const ObjectKind& kind, const run::Resource& resource,
                           const RunId& run_id, std::string& uid, const run::Patience& patience);
  Result<void> RemoveAll(const ObjectKind& kind, const run::Resource& resource, const RunId& run_id,
                         const run::Patience& patience);
  Result<void> EndPods(const run::Resource& job, const RunId& run_id,
                       const run::Patience& patience);
  Result<void> AwaitAbsence(const ObjectKind& kind, const std::string& name, const std::string& uid,
                            const RunId& run_id, const run::Patience& patience);
  bool MayStillCome(const run::Resource& resource);

  ClusterApi& api_;
  RunWatcher& watcher_;
  const KubernetesSettings& settings_;
  Guarded<std::map<std::string, Deadline>> unsettled_;  // "KIND NAME" -> until when
};

// The objects that a kind of resource is made of.
const ObjectKind& KindOf(run::Resource::Kind kind);

}  // namespace tidewaiter::kubernetes
