#include "broker/docker/image_store.h"

#include <optional>
#include <utility>

#include "base/printable.h"
#include "broker/docker/pull_progress.h"
#include "broker/registry/registry_auth.h"

namespace tidewaiter::docker {
namespace {

constexpr std::size_t kMaxKnown = 256;

Error Unavailable(const policy::ImageReference& image, const std::string& why) {
  return Fail(ErrorCode::kNotFound, "pull image " + Quoted(image.Canonical(), 300) + ": " + why,
              "IMAGE_UNAVAILABLE");
}

// The engine passes on what the registry said, which may be as short as "unauthorized".
std::string AskedHow(bool with_credentials) {
  return with_credentials
             ? "; asked with the credentials that [registry] auth_file has for this registry"
             : "; asked without credentials: [registry] auth_file has none for this registry";
}

}  // namespace

Result<run::ResolvedImage> ImageStore::Resolve(const policy::EffectiveRun& run,
                                               run::ImageProgressSink& progress,
                                               const run::Patience& patience) {
  policy::ImageReference image = run.image;
  if (image.tag.empty() && image.digest.empty()) image.tag = "latest";
  if (run.verify_tag && !image.tag.empty()) {
    if (image.digest.empty()) {
      TW_ASSIGN(image.digest, tags_.DigestOf(image, patience));
    } else {
      TW_TRY(tags_.Confirm(image, patience));
    }
  }
  TW_ASSIGN(std::optional<ImageConfig> found, Find(image, patience));
  if (!found) {
    TW_TRY(Pull(image, progress, patience));
    TW_ASSIGN(found, Find(image, patience));
    if (!found) return Unavailable(image, "the engine does not have it after the pull");
  }
  std::string digest = DigestFrom(*found, image);
  if (digest != image.digest && !image.digest.empty()) {
    return Unavailable(image, "the engine has something else under that name");
  }
  TW_TRY(CheckImage(*found, run));
  Remember(*found);
  return run::ResolvedImage{.digest = std::move(digest), .image_id = found->id};
}

Result<std::optional<ImageConfig>> ImageStore::Find(const policy::ImageReference& image,
                                                    const run::Patience& patience) {
  const std::string reference =
      image.digest.empty() ? image.Name() + ":" + image.tag : image.Name() + "@" + image.digest;
  TW_ASSIGN(const std::optional<Json> inspect, api_.InspectImage(reference, patience));
  if (!inspect) return std::optional<ImageConfig>();
  TW_ASSIGN(ImageConfig config, ReadImageConfig(*inspect));
  return std::optional(std::move(config));
}

Result<void> ImageStore::Pull(const policy::ImageReference& image, run::ImageProgressSink& progress,
                              const run::Patience& patience) {
  TW_ASSIGN(const std::optional<registry::Credentials> credentials,
            registry::FindCredentials(settings_.registry.auth_file, image.registry));
  std::string header;
  if (credentials) {
    TW_ASSIGN(header, registry::RegistryAuthHeader(*credentials, image.registry));
  }
  PullProgress lines(progress);
  Result<void> pulled =
      api_.PullImage(image.Name(), image.digest.empty() ? image.tag : image.digest, header,
                     patience, [&lines](std::string_view data) { return lines.Feed(data); });
  const std::string how = AskedHow(credentials.has_value());
  if (lines.failure()) return Unavailable(image, "the engine says " + *lines.failure() + how);
  if (!pulled && pulled.error().Reason() == "IMAGE_UNAVAILABLE") {
    Error error = pulled.error();
    error.message += how;
    return error;
  }
  return pulled;
}

Result<std::shared_ptr<const ImageConfig>> ImageStore::ConfigOf(const std::string& image_id,
                                                                const run::Patience& patience) {
  {
    auto known = known_.Lock();
    if (const auto found = known->find(image_id); found != known->end()) return found->second;
  }
  TW_ASSIGN(const std::optional<Json> inspect, api_.InspectImage(image_id, patience));
  if (!inspect) {
    return Fail(ErrorCode::kNotFound, "inspect image " + Quoted(image_id) + ": it is gone",
                "IMAGE_UNAVAILABLE");
  }
  TW_ASSIGN(ImageConfig config, ReadImageConfig(*inspect));
  if (config.id != image_id) return InvalidAnswer("inspect image", "it is another image");
  return std::make_shared<const ImageConfig>(std::move(config));
}

void ImageStore::Remember(const ImageConfig& config) {
  auto known = known_.Lock();
  if (known->size() >= kMaxKnown && !known->contains(config.id)) known->erase(known->begin());
  known->insert_or_assign(config.id, std::make_shared<const ImageConfig>(config));
}

}  // namespace tidewaiter::docker
