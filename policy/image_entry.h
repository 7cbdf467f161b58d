// One [[images.allow]] entry, and what is asked of the entries for one image.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/repository_pattern.h"
#include "policy/version_range.h"

namespace tidewaiter::policy {

// Repository, version and digest are admitted together or not at all.
struct ImageEntry {
  RepositoryPattern repository;
  std::optional<VersionRange> versions;  // absent: every release, no pre-release
  std::vector<std::string> digests;      // sorted; empty: any

  // `version` is null where the tag is none.
  [[nodiscard]] bool AdmitsVersion(const Version* version, bool tag_must_be_semver) const noexcept;
  [[nodiscard]] bool AdmitsDigest(std::string_view digest) const noexcept;
  // The one version that it admits, or null where its versions are any others.
  [[nodiscard]] const Version* OnlyVersion() const noexcept;
};

// The version and the digest of one image. What does not count is admitted by every entry.
struct ImagePin {
  const Version* version = nullptr;  // null: the tag is none
  bool tag_must_be_semver = true;
  bool version_counts = true;
  std::string_view digest;
  bool digest_counts = true;
};

}  // namespace tidewaiter::policy
