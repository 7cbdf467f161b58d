// Takes a run's containers and networks off the engine and makes sure that they are gone. Deletes
// by exact id, or by name only after the labels have said that the thing is this broker's and this
// run's. Blocks; thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/settings.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class Remover {
 public:
  Remover(EngineApi& api, const DockerSettings& settings) : api_(api), settings_(settings) {}

  // run::Backend::Remove.
  run::Removal Remove(const run::Resource& resource, const RunId& run_id, Deadline deadline);

  // A create under that name was sent and its answer lost, by this process or by a former one.
  // Until settings.settle_time after `given_up`, when the create has been or will be given up at
  // the latest, Remove does not take "no such thing" for an answer: the engine may still be making
  // it.
  void ExpectLater(const run::Resource& resource, Deadline given_up);

 private:
  using Key = std::pair<run::Resource::Kind, std::string>;
  struct Unsettled {
    std::map<Key, Deadline> until;
    // Of all that are beyond what is remembered one by one.
    Deadline others_until = Deadline::At({});
  };

  bool MayStillCome(const run::Resource& resource);
  Result<void> RemoveNow(const run::Resource& resource, const RunId& run_id, Deadline deadline,
                         std::string& id);
  // The id under that name where the labels fit; "" where nothing of this run is there.
  Result<std::string> IdOf(const run::Resource& resource, const RunId& run_id,
                           const run::Patience& patience);
  Result<std::optional<Json>> Inspect(run::Resource::Kind kind, std::string_view which,
                                      const run::Patience& patience);
  Result<bool> Delete(run::Resource::Kind kind, std::string_view id, const run::Patience& patience);

  EngineApi& api_;
  const DockerSettings& settings_;
  Guarded<Unsettled> unsettled_;
};

}  // namespace tidewaiter::docker
