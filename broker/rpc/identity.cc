#include "broker/rpc/identity.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "broker/rpc/error_details.h"

namespace tidewaiter::rpc {

int PeerNumber(std::string_view peer) noexcept {
  for (const std::string_view prefix : {std::string_view("fd:"), std::string_view("fd%3A")}) {
    if (!peer.starts_with(prefix)) continue;
    const std::string_view digits = peer.substr(prefix.size());
    int number = -1;
    const auto [rest, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && rest == digits.data() + digits.size() && number >= 0) return number;
  }
  return -1;
}

std::optional<policy::Roles> Identifier::RolesNow(const run::Caller& caller) const {
  const std::shared_ptr<const policy::PolicySet> policies = policies_.Get()->enforced;
  const policy::Principal* principal = policies->FindPrincipal(caller.uid);
  if (principal == nullptr || principal->name != caller.principal) return std::nullopt;
  return principal->roles;
}

tl::expected<Identity, grpc::Status> Identifier::Identify(std::string_view peer) {
  std::optional<ConnectionTable::Lease> lease = table_.Begin(PeerNumber(peer));
  if (!lease) {
    return tl::unexpected(UnauthenticatedStatus(
        fmt::format("identify {}: no credentials are known", Quoted(peer)), "NO_CREDENTIALS"));
  }
  const PeerCredentials& credentials = lease->credentials();
  std::shared_ptr<const policy::PolicySet> policies = policies_.Get()->enforced;
  const policy::Principal* principal = policies->FindPrincipal(credentials.uid);
  if (principal == nullptr) {
    return tl::unexpected(ToStatus(Fail(
        ErrorCode::kPermissionDenied,
        fmt::format("identify uid {}: it is no principal", credentials.uid), "CALLER_UNKNOWN")));
  }
  return Identity{.caller = {.uid = credentials.uid,
                             .gid = credentials.gid,
                             .pid = credentials.pid,
                             .pid_start = credentials.process.start,
                             .executable = credentials.process.executable,
                             .principal = principal->name},
                  .policies = std::move(policies),
                  .principal = principal,
                  .lease = std::move(*lease)};
}

}  // namespace tidewaiter::rpc
