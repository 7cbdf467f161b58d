// Asks registries (OCI distribution specification 1.1) for manifests. TLS always, but for the
// loopback registries that the configuration names; trusted are the system's CAs and those of the
// configuration, for token services too; redirects are not followed. Credentials go to
// the registry they are for, and to the token service that this registry names, over TLS (or to a
// configured loopback registry) only. Blocks; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/registry/auth_challenge.h"
#include "broker/registry/registry_auth.h"
#include "broker/registry/settings.h"
#include "broker/run/backend.h"
#include "policy/image_reference.h"

namespace tidewaiter::registry {

class RegistryClient {
 public:
  RegistryClient(io::HttpClient& http, const RegistrySettings& settings)
      : http_(http), settings_(settings) {}

  // HEAD or GET of the manifest that `which` (a tag or digest) names in the image's repository.
  // Statuses 200 and 404 are answers; everything else, a refusal of access included, is
  // REGISTRY_UNAVAILABLE. DEADLINE_EXCEEDED and CANCELLED where the caller's patience ended.
  Result<io::HttpResponse> Manifest(const std::string& method, const policy::ImageReference& image,
                                    std::string_view which, const run::Patience& patience);

 private:
  Result<io::HttpResponse> Fetch(const io::HttpRequest& request, const std::string& subject,
                                 const run::Patience& patience);
  // The value of the Authorization header that answers the challenge; without credentials, that of
  // somebody anonymous.
  Result<std::string> Authorization(const AuthChallenge& challenge,
                                    const std::optional<Credentials>& credentials,
                                    const policy::ImageReference& image,
                                    const run::Patience& patience);
  Result<std::string> Token(const AuthChallenge& challenge,
                            const std::optional<Credentials>& credentials,
                            const policy::ImageReference& image, const run::Patience& patience);
  [[nodiscard]] bool MayUsePlainHttp(std::string_view authority) const;

  io::HttpClient& http_;
  const RegistrySettings& settings_;
};

// Whether "HOST[:PORT]" is localhost, in 127.0.0.0/8 or ::1, by its spelling alone.
bool IsLoopback(std::string_view authority) noexcept;

}  // namespace tidewaiter::registry
