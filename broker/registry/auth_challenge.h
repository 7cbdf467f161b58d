// The WWW-Authenticate header of a registry (RFC 9110 section 11.6.1; the distribution
// specification's token flow): untrusted text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::registry {

struct AuthChallenge {
  enum class Scheme { kBasic, kBearer };
  Scheme scheme = Scheme::kBasic;
  std::string realm;  // kBearer: URL of the token service
  std::string service;
  std::string scope;
  friend bool operator==(const AuthChallenge&, const AuthChallenge&) = default;
};

// Nothing where the header is longer than 4 KiB, holds a control byte, is not well-formed, or is
// of another scheme. Of several challenges the first is read.
std::optional<AuthChallenge> ParseAuthChallenge(std::string_view header);

}  // namespace tidewaiter::registry
