#include "policy/policy.h"

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

Rules Rules::BuiltIn() {
  Rules rules;
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    rules.limits[i] = {kLimits[i].built_in_default, kLimits[i].built_in_max};
  }
  return rules;
}

std::string_view ToString(NetworkMode mode) noexcept {
  switch (mode) {
    case NetworkMode::kNone: return "none";
    case NetworkMode::kIsolated: return "isolated";
    case NetworkMode::kBridge: return "bridge";
  }
  return "unknown";
}

}  // namespace tidewaiter::policy
