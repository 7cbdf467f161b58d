// The one error type. An Error is data for a person and a stable reason for a program; only the
// edge (broker/rpc, client, main) turns it into a gRPC status or an exit code. Libraries never log
// it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tidewaiter {

// What a caller can do about it. Names and meaning follow google.rpc.Code.
enum class ErrorCode {
  kCancelled,           // the caller's own stop token or the broker's shutdown ended it
  kInvalidArgument,     // the request itself is wrong; the same request will never succeed
  kDeadlineExceeded,    // a wait reached its deadline; the effect is unknown
  kNotFound,            // the named thing is not there (or is not the caller's to see)
  kAlreadyExists,       // the name is taken
  kPermissionDenied,    // identity or policy forbids it
  kResourceExhausted,   // a bound was reached; trying again later may succeed
  kFailedPrecondition,  // the system is not in the state that the request needs
  kUnavailable,         // the other side cannot be reached now; trying again may succeed
  kInternal,            // an invariant broke, or the other side answered nonsense
  kUnimplemented,
};

// "INVALID_ARGUMENT" and so on, as google.rpc.Code spells them.
std::string_view ToString(ErrorCode code) noexcept;

// `message` reads `verb 'object': cause`, lower case, no full stop. `reason` is an UPPER_SNAKE word
// that stays stable over releases (google.rpc.ErrorInfo.reason); empty means ToString(code).
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string reason;

  // The same error with `context: ` in front of the message.
  [[nodiscard]] Error Within(std::string_view context) const&;
  [[nodiscard]] std::string_view Reason() const noexcept {
    return reason.empty() ? ToString(code) : std::string_view(reason);
  }

  friend bool operator==(const Error&, const Error&) = default;
};

// The one place that maps errno(3) values: `message` becomes "what: strerror".
Error ErrnoError(int errno_value, std::string_view what);

}  // namespace tidewaiter
