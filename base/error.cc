#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace tidewaiter {

std::string_view ToString(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kCancelled: return "CANCELLED";
    case ErrorCode::kInvalidArgument: return "INVALID_ARGUMENT";
    case ErrorCode::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case ErrorCode::kNotFound: return "NOT_FOUND";
    case ErrorCode::kAlreadyExists: return "ALREADY_EXISTS";
    case ErrorCode::kPermissionDenied: return "PERMISSION_DENIED";
    case ErrorCode::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case ErrorCode::kFailedPrecondition: return "FAILED_PRECONDITION";
    case ErrorCode::kUnavailable: return "UNAVAILABLE";
    case ErrorCode::kInternal: return "INTERNAL";
    case ErrorCode::kUnimplemented: return "UNIMPLEMENTED";
  }
  return "INTERNAL";
}

Error Error::Within(std::string_view context) const& {
  Error outer = *this;
  outer.message = std::string(context) + ": " + message;
  return outer;
}

namespace {

ErrorCode CodeOfErrno(int errno_value) noexcept {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR: return ErrorCode::kNotFound;
    case EEXIST:
    case ENOTEMPTY: return ErrorCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV: return ErrorCode::kInvalidArgument;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return ErrorCode::kResourceExhausted;
    case ETIMEDOUT: return ErrorCode::kDeadlineExceeded;
    case EAGAIN:
    case EPIPE:
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

}  // namespace

Error ErrnoError(int errno_value, std::string_view what) {
  return Error{.code = CodeOfErrno(errno_value),
               .message = std::string(what) + ": " + std::generic_category().message(errno_value),
               .reason = {}};
}

}  // namespace tidewaiter
