// The API server's refusals as errors. The format is meta/v1 Status (Kubernetes API conventions,
// "Response Status Kind"). Pure; the bytes are a stranger's.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "broker/json/json.h"

namespace tidewaiter::kubernetes {

// `subject: the cluster answers CODE (REASON): 'message'`, the message escaped and cut. Reasons:
//   CLUSTER_UNAUTHORIZED  401: it does not know who asks            FAILED_PRECONDITION
//   CLUSTER_FORBIDDEN     403: no right to it                       PERMISSION_DENIED
//   QUOTA_EXCEEDED        403 of a ResourceQuota; try again         RESOURCE_EXHAUSTED
//   NAMESPACE_MISSING     404 of the namespace itself               FAILED_PRECONDITION
//   NAMESPACE_TERMINATING 403: it is being deleted                  FAILED_PRECONDITION
//   CLUSTER_NOT_FOUND     404 of an object, by its name             NOT_FOUND
//   CLUSTER_EXISTS        409, AlreadyExists                        ALREADY_EXISTS
//   CLUSTER_CONFLICT      409 else                                  FAILED_PRECONDITION
//   CLUSTER_GONE          410: the resourceVersion is too old       FAILED_PRECONDITION
//   CLUSTER_INVALID       400, 422: the object is not accepted      INVALID_ARGUMENT
//   CLUSTER_BUSY          429: too many requests                    RESOURCE_EXHAUSTED
//   ENGINE_UNAVAILABLE    5xx                                       UNAVAILABLE
//   CLUSTER_ERROR         everything else                           INTERNAL
// `body` need be no Status; then the HTTP status alone speaks.
Error StatusError(long http_status, std::string_view body, std::string_view subject);

// The same of a Status that came inside a watch (an event of type ERROR).
Error StatusError(const Json& status, std::string_view subject);

// Status.details.retryAfterSeconds, or else the Retry-After header's seconds, which is all that
// priority and fairness says; where it is there and at most a minute.
std::optional<std::chrono::milliseconds> RetryAfter(std::string_view header, std::string_view body);

}  // namespace tidewaiter::kubernetes
