#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/printable.h"
#include "policy/checks.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kListedEntries = 8;
constexpr std::size_t kListedBytes = 400;

// What [[images.allow]] names, for a remedy: enough of it to help, not the whole of a long list.
std::string ListRepositories(const Rules& rules) {
  std::string list;
  const auto& entries = rules.images->entries();
  if (entries.empty()) return "nothing: the policy has no [[images.allow]] entry";
  const std::size_t listed = std::min(entries.size(), kListedEntries);
  for (std::size_t i = 0; i < listed; ++i) {
    if (!list.empty()) list += ", ";
    list += entries[i].repository.text();
  }
  if (entries.size() > listed) list += fmt::format(" and {} more", entries.size() - listed);
  return list;
}

// What of the version and the digest counts, in an image of that tag's version.
ImagePin PinOf(const Rules& rules, const ImageReference& image, const Version* version) {
  // A missing digest or tag that the policy requires has its own violation; what is left is still
  // compared.
  return {.version = version,
          .tag_must_be_semver = rules.tag_must_be_semver,
          .version_counts = version != nullptr || !rules.tag_must_be_semver,
          .digest = image.digest,
          .digest_counts = !image.digest.empty() || !rules.digest_required};
}

constexpr ImagePin kAnyPin{.version_counts = false, .digest = {}, .digest_counts = false};

std::string ListVersions(const Rules& rules, const ImageReference& image) {
  std::string list;
  rules.images->VisitByVersion(image, kAnyPin, [&](const ImageEntry& entry) {
    if (!list.empty()) list += " || ";
    list += entry.versions ? entry.versions->text() : "any release that is no pre-release";
    if (list.size() <= kListedBytes) return true;
    list += " ...";
    return false;
  });
  return list;
}

// The digests of the entries that admit the image's version.
std::string ListDigests(const Rules& rules, const ImageReference& image, const ImagePin& pin) {
  std::string list;
  rules.images->VisitByVersion(image, pin, [&](const ImageEntry& entry) {
    for (const std::string& digest : entry.digests) {
      if (list.size() > kListedBytes) {
        list += " ...";
        return false;
      }
      if (!list.empty()) list += ", ";
      list += digest;
    }
    return true;
  });
  return list;
}

// Tag and digest as the policy wants them; returns the tag's version where it is one.
std::optional<Version> CheckForm(Check& check, const ImageReference& image) {
  const bool wants_version = check.rules.tag_must_be_semver;
  auto version = ParseTagVersion(image.tag);
  if (wants_version && image.tag.empty()) {
    check.Deny(rule::kImageTagRequired, "image",
               fmt::format("image {} has no tag", Quoted(image.Name())),
               "a semantic version as tag, as in ':1.2.3'");
  } else if (wants_version && !version) {
    check.Deny(rule::kImageTagNotSemver, "image",
               fmt::format("tag {} is not a semantic version", Quoted(image.tag)),
               "MAJOR.MINOR.PATCH, as in '1.2.3', 'v1.2.3' or '1.2.3-rc.1'");
  }
  if (check.rules.digest_required && image.digest.empty()) {
    check.Deny(rule::kImageDigestRequired, "image",
               fmt::format("image {} has no digest", Quoted(image.Name())),
               "a digest, as in '@sha256:' and 64 hexadecimal digits");
  }
  return version;
}

// The violations of an image that no entry admits.
void DenyImage(Check& check, const ImageReference& image, const ImagePin& pin) {
  const ImageAllowlist& images = *check.rules.images;
  if (!images.Admits(image, kAnyPin)) {
    check.Deny(rule::kImageNotAllowed, "image",
               fmt::format("repository {} is not allowed", Quoted(image.Name())),
               ListRepositories(check.rules));
    return;
  }
  ImagePin version_alone = pin;
  version_alone.digest_counts = false;
  ImagePin digest_alone = pin;
  digest_alone.version_counts = false;
  const bool version_fits = images.Admits(image, version_alone);
  const bool digest_fits = images.Admits(image, digest_alone);
  if (!version_fits) {
    check.Deny(rule::kImageVersion, "image",
               fmt::format("{} of {} is not an admitted version",
                           image.tag.empty() ? "no tag" : "tag " + Quoted(image.tag),
                           Quoted(image.Name())),
               ListVersions(check.rules, image));
  }
  if (!digest_fits || version_fits) {
    check.Deny(rule::kImageDigest, "image",
               fmt::format("{} of {} is not admitted{}",
                           image.digest.empty() ? "no digest" : "digest " + image.digest,
                           Quoted(image.Name()), digest_fits ? " together with its version" : ""),
               // Of all entries where none admits the version.
               ListDigests(check.rules, image, version_fits ? pin : kAnyPin));
  }
}

}  // namespace

void CheckImage(Check& check) {
  auto parsed = ParseImageReference(check.spec.image);
  if (!parsed) {
    check.Deny(rule::kImageInvalid, "image", std::move(parsed).error().message,
               "REGISTRY/PATH:TAG@DIGEST, as in 'ghcr.io/team/job:1.2.3@sha256:...'");
    return;
  }
  ImageReference& image = check.run.image;
  image = *std::move(parsed);
  const std::optional<Version> version = CheckForm(check, image);

  const ImagePin pin = PinOf(check.rules, image, version ? &*version : nullptr);
  if (!check.rules.images->Admits(image, pin)) DenyImage(check, image, pin);
  // What the engine would take where neither is given (development only), said openly.
  if (image.tag.empty() && image.digest.empty()) image.tag = "latest";
  check.run.verify_tag = check.rules.verify_tag && !image.tag.empty() && !image.digest.empty();
}

}  // namespace tidewaiter::policy
