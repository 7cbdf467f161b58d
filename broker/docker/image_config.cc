#include "broker/docker/image_config.h"

#include <algorithm>

#include "base/printable.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/labels.h"

namespace tidewaiter::docker {
namespace {

constexpr std::size_t kMaxLabelBytes = std::size_t{64} << 10U;

Error Refused(const ImageConfig& image, const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition, "use image '" + image.id + "': " + why,
              "IMAGE_REFUSED");
}

std::string_view WithoutTrailingSlashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

Result<ImageConfig> ReadImageConfig(const Json& inspect) {
  constexpr std::string_view kSubject = "inspect image";
  const Json& config = At(inspect, {"Config"});
  ImageConfig image;
  image.id = TextAt(inspect, "Id");
  if (!image.id.starts_with("sha256:") || !IsEngineId(std::string_view(image.id).substr(7))) {
    return InvalidAnswer(kSubject, "the answer names no image id");
  }
  image.os = TextAt(inspect, "Os");
  image.working_dir = TextAt(config, "WorkingDir");
  const auto digests = AsStrings(At(inspect, {"RepoDigests"}));
  const auto env = AsStrings(At(config, {"Env"}));
  const auto entrypoint = AsStrings(At(config, {"Entrypoint"}));
  const auto command = AsStrings(At(config, {"Cmd"}));
  const Json& labels = At(config, {"Labels"});
  const Json& volumes = At(config, {"Volumes"});
  if (!digests || !env || !entrypoint || !command || !(labels.is_null() || labels.is_object()) ||
      !(volumes.is_null() || volumes.is_object())) {
    return InvalidAnswer(kSubject, "the image's configuration has another shape than the API's");
  }
  image.repo_digests = *digests;
  image.env = *env;
  if (!At(config, {"Entrypoint"}).is_null()) image.entrypoint = *entrypoint;
  if (!At(config, {"Cmd"}).is_null()) image.command = *command;
  if (labels.is_object()) image.labels = labels;
  if (volumes.is_object()) {
    for (const auto& [path, ignored] : volumes.items()) image.volumes.push_back(path);
  }
  return image;
}

Result<void> CheckImage(const ImageConfig& image, const policy::EffectiveRun& run) {
  if (image.os != "linux") {
    return Refused(image, "it is for the system " + Quoted(image.os, 40) + ", not for linux");
  }
  std::size_t label_bytes = 0;
  for (const auto& [name, value] : image.labels.items()) {
    if (name.starts_with(kLabelPrefix)) {
      return Refused(image, "its label " + Quoted(name, 80) + " is reserved for the broker");
    }
    label_bytes += name.size() + AsString(value).value_or("").size();
  }
  if (label_bytes > kMaxLabelBytes) return Refused(image, "it has more than 64 KiB of labels");
  for (const std::string& volume : image.volumes) {
    const bool covered = std::any_of(
        run.mounts.begin(), run.mounts.end(),
        [&](const policy::Mount& mount) { return mount.target == WithoutTrailingSlashes(volume); });
    if (!covered) {
      return Refused(image, "it declares a volume at " + Quoted(volume, 120) +
                                ", which would have no limit; mount a tmpfs there");
    }
  }
  return Ok();
}

std::string DigestFrom(const ImageConfig& image, const policy::ImageReference& reference) {
  constexpr std::string_view kHub = "docker.io/";
  constexpr std::string_view kOfficial = "docker.io/library/";
  const std::string full = reference.Name();
  std::string_view short_name = full;
  if (short_name.starts_with(kOfficial)) {
    short_name.remove_prefix(kOfficial.size());
  } else if (short_name.starts_with(kHub)) {
    short_name.remove_prefix(kHub.size());
  }
  std::string any;
  for (const std::string_view known : image.repo_digests) {
    const std::size_t at = known.rfind('@');
    if (at == std::string_view::npos) continue;
    const std::string_view name = known.substr(0, at);
    const std::string_view digest = known.substr(at + 1);
    if (name != full && name != short_name) continue;
    if (digest == reference.digest) return std::string(digest);
    any = digest;
  }
  return reference.digest.empty() ? any : std::string();
}

}  // namespace tidewaiter::docker
