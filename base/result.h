// Result<T>: a value or an Error, never ignored by accident. Built on tl::expected (docs/adr/0002).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace tidewaiter {

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result(Base base) : Base(std::move(base)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : Base(tl::unexpected<Error>(std::move(error))) {}  // NOLINT(google-explicit-constructor)
  Result(tl::unexpected<Error> error)
      : Base(std::move(error)) {}  // NOLINT(google-explicit-constructor)
};

// Fail(code, message[, reason]) reads well in a return statement of any Result<T>.
inline Error Fail(ErrorCode code, std::string message, std::string_view reason = {}) {
  return Error{.code = code, .message = std::move(message), .reason = std::string(reason)};
}

// Success of a Result<void>.
inline Result<void> Ok() {
  return Result<void>();
}

}  // namespace tidewaiter

#define TW_CONCAT_INNER(a, b) a##b
#define TW_CONCAT(a, b) TW_CONCAT_INNER(a, b)

// TW_TRY(expression): returns its error from the enclosing function; for a Result whose value is
// not needed.
#define TW_TRY(expression)                                       \
  do {                                                           \
    if (auto tw_result = (expression); !tw_result.has_value()) { \
      return ::tidewaiter::Error(std::move(tw_result).error());  \
    }                                                            \
  } while (false)

// TW_ASSIGN(auto x, expression): declares x from the value, or returns the error.
#define TW_ASSIGN(declaration, expression)                                          \
  auto TW_CONCAT(tw_result_, __LINE__) = (expression);                              \
  if (!TW_CONCAT(tw_result_, __LINE__).has_value()) {                               \
    return ::tidewaiter::Error(std::move(TW_CONCAT(tw_result_, __LINE__)).error()); \
  }                                                                                 \
  declaration = *std::move(TW_CONCAT(tw_result_, __LINE__))
