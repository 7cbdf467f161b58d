// What a call's status says, with the details that the broker attaches (proto: errors.proto) read
// out of it. Pure. The broker's text is not made safe to print here: terminal_text.h does that.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "tidewaiter/v1/errors.pb.h"

namespace tidewaiter::client {

struct RpcFailure {
  // `reason` is the broker's stable word; empty where the status came from gRPC itself.
  Error error;
  // As many violations as fitted into the status, of `total_violations`.
  std::vector<v1::Violation> violations;
  std::uint32_t total_violations = 0;
  // When to try again, where the broker says so.
  std::optional<std::chrono::milliseconds> retry_after;
};

// `status` is not OK. Details that are malformed are left out, never an error of their own.
RpcFailure ReadFailure(const grpc::Status& status);

}  // namespace tidewaiter::client
