// The images on the engine: makes one present and fixes which one it is. Blocks; thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/image_config.h"
#include "broker/docker/settings.h"
#include "broker/registry/tag_check.h"
#include "broker/run/backend.h"
#include "policy/effective_run.h"

namespace tidewaiter::docker {

class ImageStore {
 public:
  ImageStore(EngineApi& api, io::HttpClient& http, const DockerSettings& settings)
      : api_(api), settings_(settings), tags_(http, settings.registry) {}

  // run::Backend::Resolve. An image that the engine has under that digest is not pulled again; the
  // tag is checked at the registry all the same.
  Result<run::ResolvedImage> Resolve(const policy::EffectiveRun& run,
                                     run::ImageProgressSink& progress,
                                     const run::Patience& patience);

  // By image id, which is the hash of the configuration: remembered, since it cannot change.
  Result<std::shared_ptr<const ImageConfig>> ConfigOf(const std::string& image_id,
                                                      const run::Patience& patience);

 private:
  Result<std::optional<ImageConfig>> Find(const policy::ImageReference& image,
                                          const run::Patience& patience);
  Result<void> Pull(const policy::ImageReference& image, run::ImageProgressSink& progress,
                    const run::Patience& patience);
  void Remember(const ImageConfig& config);

  EngineApi& api_;
  const DockerSettings& settings_;
  registry::TagCheck tags_;
  Guarded<std::map<std::string, std::shared_ptr<const ImageConfig>>> known_;
};

}  // namespace tidewaiter::docker
