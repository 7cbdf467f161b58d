// Who a call comes from: the kernel's word of its connection, and what the policy file makes of it.
#pragma once

#include <grpcpp/support/status.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "broker/rpc/connection_table.h"
#include "broker/run/audit_sink.h"
#include "broker/run/policies_in_force.h"
#include "broker/run/run_registry.h"
#include "policy/policy_set.h"

namespace tidewaiter::rpc {

// Keeps its connection from being closed as idle while it lives.
struct Identity {
  run::Caller caller;
  std::shared_ptr<const policy::PolicySet> policies;
  const policy::Principal* principal = nullptr;  // in `policies`
  ConnectionTable::Lease lease;

  [[nodiscard]] run::Viewer viewer() const { return {caller.principal, principal->roles.operate}; }
};

// By the policies in force at that moment. Thread-safe. Asked first thing in every handler, on the
// thread on which gRPC delivers the call.
class Identifier {
 public:
  // Both must outlive it.
  Identifier(ConnectionTable& table, run::PoliciesInForce& policies)
      : table_(table), policies_(policies) {}

  // Whether the uid is a principal's.
  [[nodiscard]] bool Knows(uid_t uid) const {
    return policies_.Get()->enforced->FindPrincipal(uid) != nullptr;
  }

  // What the policies in force now let a caller do that was identified earlier: nothing where its
  // uid is no principal of that name any more.
  [[nodiscard]] std::optional<policy::Roles> RolesNow(const run::Caller& caller) const;

  // `peer` as grpc's context->peer() gives it. UNAUTHENTICATED (NO_CREDENTIALS) where it is no
  // connection of ours, PERMISSION_DENIED (CALLER_UNKNOWN).
  [[nodiscard]] tl::expected<Identity, grpc::Status> Identify(std::string_view peer);

 private:
  ConnectionTable& table_;
  run::PoliciesInForce& policies_;
};

// The number in "fd:N", which gRPC may also write as "fd%3AN"; -1 where there is none.
int PeerNumber(std::string_view peer) noexcept;

}  // namespace tidewaiter::rpc
