#include "wire/json_scalar.h"

#include <fmt/format.h>
#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/printable.h"

namespace tidewaiter::wire {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

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

// Takes the digits at its beginning off `text`.
std::string_view TakeDigits(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

// An integer by RFC 8259 in its beginning: "-"? and digits, no zero before others.
bool TakeInteger(std::string_view& text) noexcept {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view digits = TakeDigits(text);
  return !digits.empty() && (digits.size() == 1 || digits.front() != '0');
}

std::optional<std::int64_t> WholeNumber(std::string_view text) {
  std::string_view rest = text;
  if (!TakeInteger(rest) || !rest.empty()) return std::nullopt;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  return number;
}

std::optional<double> Number(const JsonScalar& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* text = std::get_if<std::string_view>(&value);
  if (text == nullptr) return std::nullopt;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (*text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (*text == "Infinity") return kInfinity;
  if (*text == "-Infinity") return -kInfinity;
  if (!IsJsonNumber(*text)) return std::nullopt;
  double number = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
  if (parsed.ec == std::errc()) return number;
  return std::numeric_limits<double>::quiet_NaN();  // too large, or too near to zero
}

const EnumValueDescriptor* EnumValue(const JsonScalar& value, const EnumDescriptor& type) {
  if (const auto* name = std::get_if<std::string_view>(&value)) {
    return type.FindValueByName(std::string(*name));
  }
  const auto number = WholeNumber(value);
  if (!number || *number < std::numeric_limits<int>::min() ||
      *number > std::numeric_limits<int>::max()) {
    return nullptr;
  }
  return type.FindValueByNumber(static_cast<int>(*number));
}

// "-1.5s": seconds with at most nine decimals, within the 10,000 years of a Duration.
std::optional<google::protobuf::Duration> ReadDuration(std::string_view text) {
  constexpr std::size_t kNanoDigits = 9;
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;
  std::string_view rest = text;
  if (!TakeInteger(rest)) return std::nullopt;
  const auto seconds = WholeNumber(text.substr(0, text.size() - rest.size()));
  if (!seconds || *seconds > kMaxSeconds || *seconds < -kMaxSeconds) return std::nullopt;
  std::int32_t nanos = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::string digits(TakeDigits(rest));
    if (digits.empty() || digits.size() > kNanoDigits) return std::nullopt;
    digits.resize(kNanoDigits, '0');
    std::from_chars(digits.data(), digits.data() + digits.size(), nanos);
  }
  if (rest != "s") return std::nullopt;
  if (nanos != 0 && (*seconds == kMaxSeconds || *seconds == -kMaxSeconds)) return std::nullopt;
  google::protobuf::Duration duration;
  duration.set_seconds(*seconds);
  duration.set_nanos(text.starts_with('-') ? -nanos : nanos);
  return duration;
}

bool Set(const JsonScalar& value, const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const auto* text = std::get_if<std::string_view>(&value);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && text != nullptr) {
    if (field.is_repeated()) {
      reflection.AddString(&message, &field, std::string(*text));
    } else {
      reflection.SetString(&message, &field, std::string(*text));
    }
    return true;
  }
  // A list of anything else, as a type that follows, is refused until the contract has one.
  if (field.is_repeated()) return false;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      const auto* truth = std::get_if<bool>(&value);
      if (truth != nullptr) reflection.SetBool(&message, &field, *truth);
      return truth != nullptr;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      const auto number = text != nullptr ? WholeNumber(*text) : WholeNumber(value);
      if (number) reflection.SetInt64(&message, &field, *number);
      return number.has_value();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const auto number = Number(value);
      if (number) reflection.SetDouble(&message, &field, *number);
      return number.has_value();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* known = EnumValue(value, *field.enum_type());
      if (known != nullptr) reflection.SetEnum(&message, &field, known);
      return known != nullptr;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (!IsDuration(field) || text == nullptr) return false;
      const auto duration = ReadDuration(*text);
      if (duration) reflection.MutableMessage(&message, &field)->CopyFrom(*duration);
      return duration.has_value();
    }
    default: return false;
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
  std::string operator()(double value) const {
    // It stands for what is no double (FittedJson), whose digits are not known here.
    if (std::fabs(value) >= 1e308) return "no finite number";
    return nlohmann::json(value).dump();  // "1.0"
  }
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

bool IsJsonNumber(std::string_view text) noexcept {
  if (!TakeInteger(text)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (TakeDigits(text).empty()) return false;
  }
  if (text.empty() || (text.front() != 'e' && text.front() != 'E')) return text.empty();
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return !TakeDigits(text).empty() && text.empty();
}

std::optional<Misfit> SetScalar(const JsonScalar& value, const FieldDescriptor& field,
                                Message& message) {
  if (Set(value, field, message)) return std::nullopt;
  const std::string_view expected = ExpectedKind(field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return Misfit{fmt::format("{} is no known value", std::visit(Shown{}, value)),
                  Names(*field.enum_type())};
  }
  // The value itself is told only where its kind alone could be right: a number or its text.
  const bool numeric = (IsDuration(field) && std::holds_alternative<std::string_view>(value)) ||
                       field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                       field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  const std::string found =
      numeric ? std::visit(Shown{}, value) : std::string(kKinds[value.index()]);
  return Misfit{fmt::format("{}, where {} belongs", found, expected), std::string(expected)};
}

}  // namespace tidewaiter::wire
