// Errors of the domain as gRPC statuses with the details of errors.proto. The one place where the
// broker turns an Error into a status. Pure; any thread.
#pragma once

#include <grpcpp/support/status.h>

#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/violation.h"

namespace tidewaiter::rpc {

// Message cut to 512 bytes, ErrorInfo always, RetryInfo where trying again makes sense
// (RESOURCE_EXHAUSTED, UNAVAILABLE).
grpc::Status ToStatus(const Error& error);

// As ToStatus, for what trying again does not help.
grpc::Status PermanentStatus(const Error& error);

// A code that ErrorCode does not have.
grpc::Status UnauthenticatedStatus(std::string_view message, std::string_view reason);

// PERMISSION_DENIED (POLICY_DENIED) with as many violations as fit in 4 KiB and the count of all.
grpc::Status DenialStatus(const std::vector<policy::Violation>& violations);

// PERMISSION_DENIED (ROLE_MISSING).
grpc::Status RoleMissing(std::string_view principal, std::string_view role);

}  // namespace tidewaiter::rpc
