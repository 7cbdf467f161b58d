#include "policy/image_entry.h"

#include <algorithm>

namespace tidewaiter::policy {

bool ImageEntry::AdmitsVersion(const Version* version, bool tag_must_be_semver) const noexcept {
  if (versions) return version != nullptr && versions->Matches(*version);
  // Without a range a tag that need not be a version is not read as one.
  if (!tag_must_be_semver) return true;
  return version != nullptr && version->prerelease.empty();
}

bool ImageEntry::AdmitsDigest(std::string_view digest) const noexcept {
  return digests.empty() || std::binary_search(digests.begin(), digests.end(), digest);
}

const Version* ImageEntry::OnlyVersion() const noexcept {
  return versions ? versions->Only() : nullptr;
}

}  // namespace tidewaiter::policy
