// One plain JSON value (null, boolean, number, string) as the value of a protobuf field, by the
// rules of protobuf JSON read strictly: no value is converted that could mean two things, and none
// is rounded. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tidewaiter::wire {

// A value as a JSON tokenizer tells it. double: what has a fraction or an exponent, or is no
// 64-bit integer.
using JsonScalar =
    std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view>;

struct Misfit {
  std::string message;
  std::string remedy;
};

// Sets `field` of `message`, or adds one element where it is repeated; or says why `value` is none
// of it. null never is one: whether a field may be absent is the caller's to know.
//
// Whole numbers are written without fraction and exponent: 1e3 is refused where 1000 is meant.
// A number that is not finite, or too large for a double, is for the policy to refuse.
std::optional<Misfit> SetScalar(const JsonScalar& value,
                                const google::protobuf::FieldDescriptor& field,
                                google::protobuf::Message& message);

// "a whole number": what belongs in `field`, or in one element where it is repeated.
std::string_view ExpectedKind(const google::protobuf::FieldDescriptor& field);

// Whether `field` holds a google.protobuf.Duration, which is a string in JSON.
bool IsDuration(const google::protobuf::FieldDescriptor& field);

// Whether `text` is a number by RFC 8259, without a blank.
bool IsJsonNumber(std::string_view text) noexcept;

}  // namespace tidewaiter::wire
