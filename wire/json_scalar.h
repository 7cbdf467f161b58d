// Whether one plain JSON value (null, boolean, number, string) may stand for a protobuf field, by
// the rules of protobuf JSON read strictly: no value is converted that could mean two things. Pure;
// any thread.
#pragma once

#include <google/protobuf/descriptor.h>

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

// Why `value` is no value of `field`, or of one element where `field` is repeated; nothing where it
// is one. null never is: whether a field may be absent is the caller's to know. The syntax of a
// Duration's string is not looked at.
std::optional<Misfit> FindMisfit(const JsonScalar& value,
                                 const google::protobuf::FieldDescriptor& field);

// "a whole number": what belongs in `field`, or in one element where it is repeated.
std::string_view ExpectedKind(const google::protobuf::FieldDescriptor& field);

// Whether `field` holds a google.protobuf.Duration, which is a string in JSON.
bool IsDuration(const google::protobuf::FieldDescriptor& field);

}  // namespace tidewaiter::wire
