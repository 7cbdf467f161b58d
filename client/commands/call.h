// One unary call to the broker, with its deadline, as a Result.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "client/connection.h"
#include "client/rpc_failure.h"

namespace tidewaiter::cli {

// Everything but Run answers at once; a broker that takes longer is stuck.
inline constexpr std::chrono::seconds kCallTimeout{30};

// `what` reads "cancel run X"; it stands before the broker's message, which keeps its reason.
template <typename Response, typename Request, typename Stub>
Result<Response> Call(Stub& stub,
                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const Request& request, std::string_view what) {
  grpc::ClientContext context;
  context.set_deadline(client::ToSystemTime(Deadline::After(kCallTimeout)));
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return client::ReadFailure(status).error.Within(what);
  return response;
}

}  // namespace tidewaiter::cli
