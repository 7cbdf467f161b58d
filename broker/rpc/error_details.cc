#include "broker/rpc/error_details.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/printable.h"
#include "tidewaiter/v1/errors.pb.h"
#include "wire/answers.h"

namespace tidewaiter::rpc {
namespace {

// Message (twice: once in grpc-message, percent-encoded, once in the details) and details, in
// base64, stay within the 8 KiB of metadata that clients take by default.
constexpr std::size_t kMaxMessageBytes = 512;
constexpr std::size_t kMaxViolationBytes = 4096;
constexpr int kRetrySeconds = 1;

grpc::StatusCode ToGrpc(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kCancelled: return grpc::StatusCode::CANCELLED;
    case ErrorCode::kInvalidArgument: return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kDeadlineExceeded: return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kAlreadyExists: return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorCode::kPermissionDenied: return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorCode::kResourceExhausted: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::kFailedPrecondition: return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorCode::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kInternal: return grpc::StatusCode::INTERNAL;
    case ErrorCode::kUnimplemented: return grpc::StatusCode::UNIMPLEMENTED;
  }
  return grpc::StatusCode::INTERNAL;
}

template <typename Message>
void AddDetail(v1::StatusDetails& details, std::string_view type, const Message& message) {
  google::protobuf::Any& any = *details.add_details();
  any.set_type_url(fmt::format("type.googleapis.com/{}", type));
  any.set_value(message.SerializeAsString());
}

v1::StatusDetails Begin(grpc::StatusCode code, std::string_view message, std::string_view reason) {
  v1::StatusDetails details;
  details.set_code(code);
  // Text that is printable already is left as it is.
  const std::string text(message);
  details.set_message(text.size() <= kMaxMessageBytes && IsUtf8(text) && !HasControl(text)
                          ? text
                          : Printable(text, kMaxMessageBytes));
  v1::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain("tidewaiter.v1");
  AddDetail(details, "google.rpc.ErrorInfo", info);
  return details;
}

grpc::Status Finish(const v1::StatusDetails& details) {
  return {static_cast<grpc::StatusCode>(details.code()), details.message(),
          details.SerializeAsString()};
}

}  // namespace

grpc::Status ToStatus(const Error& error) {
  v1::StatusDetails details = Begin(ToGrpc(error.code), error.message, error.Reason());
  if (error.code == ErrorCode::kResourceExhausted || error.code == ErrorCode::kUnavailable) {
    v1::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(kRetrySeconds);
    AddDetail(details, "google.rpc.RetryInfo", retry);
  }
  return Finish(details);
}

grpc::Status PermanentStatus(const Error& error) {
  return Finish(Begin(ToGrpc(error.code), error.message, error.Reason()));
}

grpc::Status UnauthenticatedStatus(std::string_view message, std::string_view reason) {
  return Finish(Begin(grpc::StatusCode::UNAUTHENTICATED, message, reason));
}

grpc::Status DenialStatus(const std::vector<policy::Violation>& violations) {
  const std::string first = violations.empty() ? "" : violations.front().rule;
  v1::StatusDetails details =
      Begin(grpc::StatusCode::PERMISSION_DENIED,
            fmt::format("run a container: denied by policy ({} violation{}, first '{}')",
                        violations.size(), violations.size() == 1 ? "" : "s", first),
            "POLICY_DENIED");
  v1::DenialDetails denial;
  denial.set_total(static_cast<std::uint32_t>(violations.size()));
  std::size_t bytes = 0;
  for (const policy::Violation& violation : violations) {
    const v1::Violation next = wire::ToProto(violation);
    bytes += next.ByteSizeLong() + 4;  // tag and length
    if (bytes > kMaxViolationBytes) break;
    *denial.add_violations() = next;
  }
  AddDetail(details, "tidewaiter.v1.DenialDetails", denial);
  return Finish(details);
}

grpc::Status RoleMissing(std::string_view principal, std::string_view role) {
  return ToStatus(
      Fail(ErrorCode::kPermissionDenied,
           fmt::format("serve principal {}: the role '{}' is missing", Quoted(principal), role),
           "ROLE_MISSING"));
}

}  // namespace tidewaiter::rpc
