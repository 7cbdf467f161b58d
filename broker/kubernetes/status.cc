#include "broker/kubernetes/status.h"

#include <charconv>
#include <cstdint>
#include <string>

#include "base/printable.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::size_t kMaxMessage = 400;

struct Meaning {
  ErrorCode code;
  std::string_view reason;
};

bool HasCause(const Json& status, std::string_view reason) {
  const Json& causes = At(status, {"details", "causes"});
  if (!causes.is_array()) return false;
  for (const Json& cause : causes) {
    if (TextAt(cause, "reason") == reason) return true;
  }
  return false;
}

// 403 has three meanings, which Kubernetes tells apart by a cause (apimachinery,
// CauseTypeNamespaceTerminating) and, for a ResourceQuota, by the message alone (apiserver,
// resourcequota admission: "exceeded quota: NAME, requested: ...").
Meaning MeaningOfForbidden(const Json& status, const std::string& message) {
  if (HasCause(status, "NamespaceTerminating") ||
      message.find("because it is being terminated") != std::string::npos) {
    return {ErrorCode::kFailedPrecondition, "NAMESPACE_TERMINATING"};
  }
  if (message.find("exceeded quota") != std::string::npos) {
    return {ErrorCode::kResourceExhausted, "QUOTA_EXCEEDED"};
  }
  return {ErrorCode::kPermissionDenied, "CLUSTER_FORBIDDEN"};
}

Meaning MeaningOf(long code, const Json& status, const std::string& message) {
  switch (code) {
    case 400:
    case 422: return {ErrorCode::kInvalidArgument, "CLUSTER_INVALID"};
    case 401: return {ErrorCode::kFailedPrecondition, "CLUSTER_UNAUTHORIZED"};
    case 403: return MeaningOfForbidden(status, message);
    case 404:
      if (TextAt(At(status, {"details"}), "kind") == "namespaces") {
        return {ErrorCode::kFailedPrecondition, "NAMESPACE_MISSING"};
      }
      if (TextAt(status, "reason") == "NotFound" &&
          !TextAt(At(status, {"details"}), "name").empty()) {
        return {ErrorCode::kNotFound, "CLUSTER_NOT_FOUND"};
      }
      return {ErrorCode::kInternal, "CLUSTER_ERROR"};
    case 409:
      if (TextAt(status, "reason") == "AlreadyExists") {
        return {ErrorCode::kAlreadyExists, "CLUSTER_EXISTS"};
      }
      return {ErrorCode::kFailedPrecondition, "CLUSTER_CONFLICT"};
    case 410: return {ErrorCode::kFailedPrecondition, "CLUSTER_GONE"};
    case 429: return {ErrorCode::kResourceExhausted, "CLUSTER_BUSY"};
    default:
      if (code >= 500 && code < 600) return {ErrorCode::kUnavailable, "ENGINE_UNAVAILABLE"};
      return {ErrorCode::kInternal, "CLUSTER_ERROR"};
  }
}

Error ErrorOf(long code, const Json& status, std::string_view subject) {
  const std::string message = TextAt(status, "message");
  const std::string reason = TextAt(status, "reason");
  const Meaning meaning = MeaningOf(code, status, message);
  std::string text(subject);
  text += ": the cluster answers " + std::to_string(code);
  if (!reason.empty()) text += " (" + Printable(reason, 64) + ")";
  if (!message.empty()) text += ": " + Quoted(message, kMaxMessage);
  return {.code = meaning.code, .message = std::move(text), .reason = std::string(meaning.reason)};
}

}  // namespace

Error StatusError(long http_status, std::string_view body, std::string_view subject) {
  const std::optional<Json> parsed = ParseJson(body);
  const bool is_status = parsed && TextAt(*parsed, "kind") == "Status";
  return ErrorOf(http_status, is_status ? *parsed : Json::object(), subject);
}

Error StatusError(const Json& status, std::string_view subject) {
  return ErrorOf(AsInt(At(status, {"code"})).value_or(0), status, subject);
}

std::optional<std::chrono::milliseconds> RetryAfter(std::string_view header,
                                                    std::string_view body) {
  constexpr std::int64_t kLongest = 60;
  std::optional<std::int64_t> seconds;
  if (const std::optional<Json> parsed = ParseJson(body)) {
    seconds = AsInt(At(*parsed, {"details", "retryAfterSeconds"}));
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), number);
  const bool whole = error == std::errc() && end == header.data() + header.size();
  if (!seconds && whole) seconds = number;
  if (!seconds || *seconds < 0 || *seconds > kLongest) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

}  // namespace tidewaiter::kubernetes
