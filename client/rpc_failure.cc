#include "client/rpc_failure.h"

#include <algorithm>
#include <string_view>

namespace tidewaiter::client {
namespace {

ErrorCode ToErrorCode(grpc::StatusCode code) noexcept {
  switch (code) {
    case grpc::CANCELLED: return ErrorCode::kCancelled;
    case grpc::INVALID_ARGUMENT:
    case grpc::OUT_OF_RANGE: return ErrorCode::kInvalidArgument;
    case grpc::DEADLINE_EXCEEDED: return ErrorCode::kDeadlineExceeded;
    case grpc::NOT_FOUND: return ErrorCode::kNotFound;
    case grpc::ALREADY_EXISTS: return ErrorCode::kAlreadyExists;
    case grpc::PERMISSION_DENIED:
    case grpc::UNAUTHENTICATED: return ErrorCode::kPermissionDenied;
    case grpc::RESOURCE_EXHAUSTED: return ErrorCode::kResourceExhausted;
    case grpc::FAILED_PRECONDITION:
    case grpc::ABORTED: return ErrorCode::kFailedPrecondition;
    case grpc::UNAVAILABLE: return ErrorCode::kUnavailable;
    case grpc::UNIMPLEMENTED: return ErrorCode::kUnimplemented;
    default: return ErrorCode::kInternal;
  }
}

// Whether `any` holds a message under that type URL (its host part is not compared) and it parses.
template <typename Message>
bool Unpack(const google::protobuf::Any& any, std::string_view type, Message& message) {
  const std::string_view url = any.type_url();
  const std::size_t slash = url.rfind('/');
  return slash != std::string_view::npos && url.substr(slash + 1) == type &&
         message.ParseFromString(any.value());
}

// Clamped to a day, so that no arithmetic of a caller overflows.
std::chrono::milliseconds ToMillis(const google::protobuf::Duration& duration) noexcept {
  constexpr std::int64_t kDaySeconds = 24 * 60 * 60;
  const std::int64_t seconds = std::clamp<std::int64_t>(duration.seconds(), 0, kDaySeconds);
  const std::int32_t nanos = std::clamp(duration.nanos(), 0, 999'999'999);
  return std::chrono::milliseconds(seconds * 1000 + nanos / 1'000'000);
}

}  // namespace

RpcFailure ReadFailure(const grpc::Status& status) {
  RpcFailure failure;
  failure.error.code = ToErrorCode(status.error_code());
  failure.error.message = status.error_message();
  v1::StatusDetails details;
  const bool readable =
      !status.error_details().empty() && details.ParseFromString(status.error_details());
  if (readable) {
    for (const google::protobuf::Any& any : details.details()) {
      if (v1::ErrorInfo info; Unpack(any, "google.rpc.ErrorInfo", info)) {
        failure.error.reason = info.reason();
      } else if (v1::RetryInfo retry; Unpack(any, "google.rpc.RetryInfo", retry)) {
        failure.retry_after = ToMillis(retry.retry_delay());
      } else if (v1::DenialDetails denial; Unpack(any, "tidewaiter.v1.DenialDetails", denial)) {
        failure.violations.assign(denial.violations().begin(), denial.violations().end());
        failure.total_violations = denial.total();
      }
    }
  }
  // gRPC's own words for a lost connection ("Socket closed") do not say whose.
  if (failure.error.reason.empty() && failure.error.code == ErrorCode::kUnavailable) {
    failure.error = failure.error.Within("the connection to the broker was lost");
  }
  return failure;
}

}  // namespace tidewaiter::client
