#include "broker/registry/registry_auth.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "broker/json/json.h"

namespace tidewaiter::registry {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20U;

Error Bad(const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "read registry credentials: " + why, "AUTH_FILE");
}

// The registry that a key of `auths` stands for: a host, with or without the scheme and API version
// that docker has written there over the years. A key with any other path stays as it is and so
// matches no registry.
std::string RegistryOf(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  for (const std::string_view path : {"/v1/", "/v2/", "/v1", "/v2", "/"}) {
    if (key.ends_with(path)) {
      key.remove_suffix(path.size());
      break;
    }
  }
  if (key == "index.docker.io" || key == "registry-1.docker.io") return "docker.io";
  return std::string(key);
}

Result<Credentials> ReadEntry(std::string_view key, const Json& entry) {
  Credentials credentials;
  credentials.identity_token = TextAt(entry, "identitytoken");
  if (!credentials.identity_token.empty()) return credentials;
  credentials.username = TextAt(entry, "username");
  credentials.password = TextAt(entry, "password");
  if (const std::string encoded = TextAt(entry, "auth"); !encoded.empty()) {
    const std::optional<std::string> plain = DecodeBase64(encoded);
    const std::size_t colon = plain ? plain->find(':') : std::string::npos;
    if (colon == std::string::npos) {
      return Bad("auths[" + Quoted(key) + "].auth: no base64 of USER:PASSWORD");
    }
    credentials.username = plain->substr(0, colon);
    credentials.password = plain->substr(colon + 1);
  }
  return credentials;
}

Result<std::string> ReadFile(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return Bad(ErrnoError(errno, Quoted(path)).message);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return Bad(ErrnoError(errno, Quoted(path)).message);
  if (!S_ISREG(status.st_mode)) return Bad(Quoted(path) + ": no regular file");
  if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    return Bad(Quoted(path) + ": others may read or change it; chmod 0600 or 0640");
  }
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() <= kMaxFileBytes) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Bad(ErrnoError(errno, Quoted(path)).message);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return Bad(Quoted(path) + ": more than 1 MiB");
}

}  // namespace

Result<RegistryAuth> RegistryAuth::Parse(std::string_view config_json) {
  const std::optional<Json> config = ParseJson(config_json);
  if (!config || !config->is_object()) return Bad("the file is no JSON object");
  RegistryAuth auth;
  if (const Json& helpers = At(*config, {"credHelpers"}); helpers.is_object()) {
    for (const auto& [key, ignored] : helpers.items()) auth.with_helper_.insert(RegistryOf(key));
  }
  const bool has_store = !TextAt(*config, "credsStore").empty();
  const Json& auths = At(*config, {"auths"});
  if (!auths.is_null() && !auths.is_object()) return Bad("auths: an object is expected");
  for (const auto& [key, entry] : auths.items()) {
    if (!entry.is_object()) return Bad("auths[" + Quoted(key) + "]: an object is expected");
    TW_ASSIGN(Credentials credentials, ReadEntry(key, entry));
    if (credentials != Credentials{}) {
      auth.by_registry_.emplace(RegistryOf(key), std::move(credentials));
    } else if (has_store) {  // `docker login` leaves an empty entry where the store has the secret
      auth.with_helper_.insert(RegistryOf(key));
    }
  }
  return auth;
}

Result<RegistryAuth> RegistryAuth::Load(const std::string& path) {
  if (path.empty()) return RegistryAuth();
  TW_ASSIGN(const std::string text, ReadFile(path));
  Result<RegistryAuth> auth = Parse(text);
  if (!auth) return auth.error().Within(Quoted(path));
  return auth;
}

Result<std::optional<Credentials>> RegistryAuth::For(const std::string& registry) const {
  if (const auto found = by_registry_.find(registry); found != by_registry_.end()) {
    return std::optional(found->second);
  }
  if (with_helper_.contains(registry)) {
    return Bad(
        "those for " + Quoted(registry) +
        " are with a credential helper, which the broker does not run; write an auths entry");
  }
  return std::optional<Credentials>();
}

Result<std::optional<Credentials>> FindCredentials(const std::string& path,
                                                   const std::string& registry) {
  TW_ASSIGN(const RegistryAuth auth, RegistryAuth::Load(path));
  return auth.For(registry);
}

Result<std::string> RegistryAuthHeader(const Credentials& credentials,
                                       const std::string& registry) {
  const std::string address = registry == "docker.io" ? "https://index.docker.io/v1/" : registry;
  Json fields = {{"serveraddress", address}};
  if (credentials.identity_token.empty()) {
    fields["username"] = credentials.username;
    fields["password"] = credentials.password;
  } else {
    fields["identitytoken"] = credentials.identity_token;
  }
  TW_ASSIGN(const std::string text, JsonText(fields));
  return EncodeBase64Url(text);
}

}  // namespace tidewaiter::registry
