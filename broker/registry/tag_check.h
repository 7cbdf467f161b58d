// Does the tag still mean the digest? With a digest in the reference an engine never looks at the
// tag, so nothing but this check makes "1.2.0@sha256:..." say the truth. Blocks; thread-safe.
#pragma once

#include <map>
#include <string>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/registry/registry_client.h"
#include "broker/registry/settings.h"
#include "broker/run/backend.h"
#include "policy/image_reference.h"

namespace tidewaiter::registry {

class TagCheck {
 public:
  TagCheck(io::HttpClient& http, const RegistrySettings& settings)
      : registry_(http, settings), settings_(settings) {}

  // Succeeds where `image.tag` names `image.digest` at its registry, or an index one of whose
  // manifests has that digest. A success is remembered for settings.tag_memory. Errors:
  // TAG_MISMATCH (naming both digests, or that there is no such tag), REGISTRY_UNAVAILABLE.
  Result<void> Confirm(const policy::ImageReference& image, const run::Patience& patience);

  // The digest that the tag names at its registry now. Same errors.
  Result<std::string> DigestOf(const policy::ImageReference& image, const run::Patience& patience);

 private:
  Result<void> Ask(const policy::ImageReference& image, const run::Patience& patience);
  bool Remembers(const std::string& key);
  void Remember(const std::string& key);

  RegistryClient registry_;
  const RegistrySettings& settings_;
  Guarded<std::map<std::string, Deadline>> confirmed_;  // canonical reference -> until when
};

// "sha256:HEX" or "sha512:HEX" of `bytes`; "" for another algorithm.
std::string DigestOfBytes(std::string_view algorithm, std::string_view bytes);

// Whether `manifest` is an index (OCI) or manifest list (Docker) with an entry of that digest.
bool IndexLists(std::string_view manifest, std::string_view digest);

}  // namespace tidewaiter::registry
