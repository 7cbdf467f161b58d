#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/printable.h"
#include "policy/checks.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kListedEntries = 8;

// What [[images.allow]] names, for a remedy: enough of it to help, not the whole of a long list.
std::string ListRepositories(const Rules& rules) {
  std::string list;
  const auto& entries = rules.images.entries();
  if (entries.empty()) return "nothing: the policy has no [[images.allow]] entry";
  const std::size_t listed = std::min(entries.size(), kListedEntries);
  for (std::size_t i = 0; i < listed; ++i) {
    if (!list.empty()) list += ", ";
    list += entries[i].repository.text();
  }
  if (entries.size() > listed) list += fmt::format(" and {} more", entries.size() - listed);
  return list;
}

std::string ListVersions(const std::vector<const ImageEntry*>& entries) {
  std::string list;
  for (const ImageEntry* entry : entries) {
    if (!list.empty()) list += " || ";
    list += entry->versions ? entry->versions->text() : "any release that is no pre-release";
    if (list.size() > 400) return list + " ...";
  }
  return list;
}

// The digests of the entries that admit the version, or of all where none does.
std::string ListDigests(const std::vector<const ImageEntry*>& entries,
                        const std::vector<const ImageEntry*>& version_fits) {
  std::string list;
  for (const ImageEntry* entry : version_fits.empty() ? entries : version_fits) {
    for (const std::string& digest : entry->digests) {
      if (list.size() > 400) return list + " ...";
      if (!list.empty()) list += ", ";
      list += digest;
    }
  }
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

void CheckVersionAndDigest(Check& check, const ImageReference& image, const Version* version,
                           const std::vector<const ImageEntry*>& entries) {
  // A missing digest or tag that the policy requires has its own violation; what is left is still
  // compared.
  const bool semver = check.rules.tag_must_be_semver;
  const bool version_counts = version != nullptr || !semver;
  const bool digest_counts = !image.digest.empty() || !check.rules.digest_required;
  std::vector<const ImageEntry*> fitting;
  bool any_digest = false;
  for (const ImageEntry* entry : entries) {
    const bool version_fits = !version_counts || entry->AdmitsVersion(version, semver);
    const bool digest_fits = !digest_counts || entry->AdmitsDigest(image.digest);
    if (version_fits && digest_fits) return;
    if (version_fits) fitting.push_back(entry);
    any_digest = any_digest || digest_fits;
  }
  if (fitting.empty()) {
    check.Deny(rule::kImageVersion, "image",
               fmt::format("{} of {} is not an admitted version",
                           image.tag.empty() ? "no tag" : "tag " + Quoted(image.tag),
                           Quoted(image.Name())),
               ListVersions(entries));
  }
  if (!any_digest || !fitting.empty()) {
    check.Deny(rule::kImageDigest, "image",
               fmt::format("{} of {} is not admitted{}",
                           image.digest.empty() ? "no digest" : "digest " + image.digest,
                           Quoted(image.Name()), any_digest ? " together with its version" : ""),
               ListDigests(entries, fitting));
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

  const std::vector<const ImageEntry*> entries = check.rules.images.Naming(image);
  if (entries.empty()) {
    check.Deny(rule::kImageNotAllowed, "image",
               fmt::format("repository {} is not allowed", Quoted(image.Name())),
               ListRepositories(check.rules));
  } else {
    CheckVersionAndDigest(check, image, version ? &*version : nullptr, entries);
  }
  // What the engine would take where neither is given (development only), said openly.
  if (image.tag.empty() && image.digest.empty()) image.tag = "latest";
  check.run.verify_tag = check.rules.verify_tag && !image.tag.empty() && !image.digest.empty();
}

}  // namespace tidewaiter::policy
