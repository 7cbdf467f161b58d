// Image references, as the OCI distribution specification and distribution/reference define them:
//   [HOST[:PORT]/]PATH[:TAG][@ALGORITHM:HEX]
// Docker Hub's short names are normalised ("busybox" is "docker.io/library/busybox").
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::policy {

struct ImageReference {
  std::string registry;    // "docker.io", "127.0.0.1:5000", "[::1]:5000"; lower case
  std::string repository;  // "library/busybox": the path without the registry
  std::string tag;         // empty: none given
  std::string digest;      // "sha256:..." or "sha512:..."; empty: none given

  // REGISTRY/REPOSITORY.
  [[nodiscard]] std::string Name() const;
  // REGISTRY/REPOSITORY[:TAG][@DIGEST]; ParseImageReference of it gives this same value.
  [[nodiscard]] std::string Canonical() const;

  friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// Whether `digest` is "sha256:" and 64, or "sha512:" and 128, lower-case hexadecimal digits. Other
// algorithms of the OCI specification are refused: what can be pinned must be collision resistant.
bool IsDigest(std::string_view digest) noexcept;

// Linear in the length of `text`; refuses more than 4,096 bytes unread.
// Errors: INVALID_ARGUMENT whose message names the part and what it may consist of.
Result<ImageReference> ParseImageReference(std::string_view text);

}  // namespace tidewaiter::policy
