// Credentials for registries from a docker config.json (its `auths`; credential helpers are
// programs, which the broker does not start). They are looked up by the registry's exact host and
// leave this process only for that registry: no prefix, suffix or wildcard ever matches.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::registry {

struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // an OAuth2 refresh token; username and password are empty then
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

class RegistryAuth {
 public:
  RegistryAuth() = default;  // knows none

  // Errors: INVALID_ARGUMENT (AUTH_FILE) naming what is wrong and where, never a secret.
  static Result<RegistryAuth> Parse(std::string_view config_json);

  // The file at `path`, at most 1 MiB; "" gives one that knows none. Errors (AUTH_FILE): it cannot
  // be read, is no regular file, or others than its owner and group may read or change it.
  static Result<RegistryAuth> Load(const std::string& path);

  // Nothing: ask anonymously. `registry` as in policy::ImageReference ("docker.io",
  // "127.0.0.1:5000"). An error (AUTH_FILE) where the file says that a credential helper has them.
  [[nodiscard]] Result<std::optional<Credentials>> For(const std::string& registry) const;

 private:
  std::map<std::string, Credentials> by_registry_;
  std::set<std::string> with_helper_;
};

// Those of the file at `path` for that registry; the errors of Load and For.
Result<std::optional<Credentials>> FindCredentials(const std::string& path,
                                                   const std::string& registry);

// The X-Registry-Auth header of a pull (Docker Engine API, "Authentication"): base64url of JSON.
Result<std::string> RegistryAuthHeader(const Credentials& credentials, const std::string& registry);

}  // namespace tidewaiter::registry
