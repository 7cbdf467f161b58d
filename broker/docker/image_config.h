// What an image brings along, from the engine's inspect answer, and whether the broker runs it.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/json/json.h"
#include "policy/effective_run.h"
#include "policy/image_reference.h"

namespace tidewaiter::docker {

struct ImageConfig {
  std::string id;  // "sha256:" and 64 hex digits
  std::vector<std::string> repo_digests;
  std::optional<std::vector<std::string>> entrypoint;  // nothing: null
  std::optional<std::vector<std::string>> command;
  std::vector<std::string> env;  // "NAME=value"
  std::string working_dir;
  Json labels = Json::object();
  std::vector<std::string> volumes;  // paths that the image declares as VOLUME
  std::string os;
};

// Errors: ENGINE_INVALID_ANSWER.
Result<ImageConfig> ReadImageConfig(const Json& inspect);

// Refuses (IMAGE_REFUSED) an image that would weaken a run: one for another system than Linux; one
// with labels under io.tidewaiter., which would pass for the broker's; with more than 64 KiB of
// labels, which the engine repeats in every event; or with a VOLUME that no mount of the run
// covers, since the engine would put a writable folder of unlimited size there.
Result<void> CheckImage(const ImageConfig& image, const policy::EffectiveRun& run);

// The digest under which the engine knows the image from that repository, or "". The engine writes
// Docker Hub's names in their short form.
std::string DigestFrom(const ImageConfig& image, const policy::ImageReference& reference);

}  // namespace tidewaiter::docker
