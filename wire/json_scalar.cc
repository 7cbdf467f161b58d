#include "wire/json_scalar.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/printable.h"

namespace tidewaiter::wire {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

constexpr std::string_view kKinds[] = {"null",           "a boolean", "a whole number",
                                       "a whole number", "a number",  "a string"};
static_assert(std::size(kKinds) == std::variant_size_v<JsonScalar>);

std::optional<std::int64_t> WholeNumber(const JsonScalar& value) {
  if (const auto* negative = std::get_if<std::int64_t>(&value)) return *negative;
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (*number <= kMax) return static_cast<std::int64_t>(*number);
  }
  return std::nullopt;
}

bool IsDecimal(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsNumber(std::string_view text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return true;
  // from_chars alone would take "inf" and "nan" too.
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return false;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsNameOrNumber(const JsonScalar& value, const EnumDescriptor& type) {
  if (const auto* name = std::get_if<std::string_view>(&value)) {
    return type.FindValueByName(std::string(*name)) != nullptr;
  }
  const auto number = WholeNumber(value);
  return number && *number >= std::numeric_limits<int>::min() &&
         *number <= std::numeric_limits<int>::max() &&
         type.FindValueByNumber(static_cast<int>(*number)) != nullptr;
}

bool Fits(const JsonScalar& value, const FieldDescriptor& field) {
  const auto* text = std::get_if<std::string_view>(&value);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: return std::holds_alternative<bool>(value);
    case FieldDescriptor::CPPTYPE_STRING: return text != nullptr;
    case FieldDescriptor::CPPTYPE_INT64:
      return text != nullptr ? IsDecimal(*text) : WholeNumber(value).has_value();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (text != nullptr) return IsNumber(*text);
      return !std::holds_alternative<std::nullptr_t>(value) && !std::holds_alternative<bool>(value);
    case FieldDescriptor::CPPTYPE_ENUM: return IsNameOrNumber(value, *field.enum_type());
    case FieldDescriptor::CPPTYPE_MESSAGE: return IsDuration(field) && text != nullptr;
    default: return false;  // a type that the contract does not use is refused until it is known
  }
}

std::string Names(const EnumDescriptor& type) {
  std::string names;
  for (int i = 0; i < type.value_count(); ++i) {
    names += (names.empty() ? "one of " : ", ") + type.value(i)->name();
  }
  return names;
}

struct Shown {
  std::string operator()(std::nullptr_t) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::string_view value) const { return Quoted(value, 64); }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(std::uint64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return nlohmann::json(value).dump(); }  // "1.0"
};

}  // namespace

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->well_known_type() ==
             google::protobuf::Descriptor::WELLKNOWNTYPE_DURATION;
}

std::string_view ExpectedKind(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: return "true or false";
    case FieldDescriptor::CPPTYPE_STRING: return "a string";
    case FieldDescriptor::CPPTYPE_INT64: return "a whole number of 64 bits";
    case FieldDescriptor::CPPTYPE_DOUBLE: return "a number";
    case FieldDescriptor::CPPTYPE_ENUM: return "a name";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return IsDuration(field) ? "a duration such as \"900s\"" : "an object";
    default: return "nothing that this version knows";
  }
}

std::optional<Misfit> FindMisfit(const JsonScalar& value, const FieldDescriptor& field) {
  if (Fits(value, field)) return std::nullopt;
  const std::string_view expected = ExpectedKind(field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return Misfit{fmt::format("{} is no known value", std::visit(Shown{}, value)),
                  Names(*field.enum_type())};
  }
  // The value itself is told only where its kind alone could be right: a number or its text.
  const bool numeric = field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                       field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  const std::string found =
      numeric ? std::visit(Shown{}, value) : std::string(kKinds[value.index()]);
  return Misfit{fmt::format("{}, where {} belongs", found, expected), std::string(expected)};
}

}  // namespace tidewaiter::wire
