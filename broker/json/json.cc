#include "broker/json/json.h"

#include <limits>

namespace tidewaiter {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

std::optional<Json> ParseJson(std::string_view text) {
  bool too_deep = false;
  const auto bounded = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  Json value = Json::parse(text.begin(), text.end(), bounded, /*allow_exceptions=*/false);
  if (too_deep || value.is_discarded()) return std::nullopt;
  return value;
}

Result<std::string> JsonText(const Json& value) {
  try {
    return value.dump();
  } catch (const Json::exception&) {  // type_error.316, the only way that dump() fails
    return Fail(ErrorCode::kInvalidArgument,
                "write request: a value is not UTF-8, which JSON cannot carry", "NOT_UTF8");
  }
}

const Json& At(const Json& value, std::initializer_list<std::string_view> path) noexcept {
  static const Json kNull;
  const Json* here = &value;
  for (const std::string_view step : path) {
    if (!here->is_object()) return kNull;
    const auto found = here->find(step);
    if (found == here->end()) return kNull;
    here = &*found;
  }
  return *here;
}

std::optional<std::string> AsString(const Json& value) {
  const auto* text = value.get_ptr<const Json::string_t*>();
  if (text == nullptr) return std::nullopt;
  return *text;
}

std::optional<std::int64_t> AsInt(const Json& value) {
  // get_ptr to the signed form answers for the unsigned one too, whose upper half does not fit.
  if (const auto* big = value.get_ptr<const Json::number_unsigned_t*>(); big != nullptr) {
    if (*big > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    return static_cast<std::int64_t>(*big);
  }
  if (const auto* number = value.get_ptr<const Json::number_integer_t*>(); number != nullptr) {
    return *number;
  }
  return std::nullopt;
}

std::optional<bool> AsBool(const Json& value) {
  const auto* flag = value.get_ptr<const Json::boolean_t*>();
  if (flag == nullptr) return std::nullopt;
  return *flag;
}

std::optional<std::vector<std::string>> AsStrings(const Json& value) {
  std::vector<std::string> out;
  if (value.is_null()) return out;
  if (!value.is_array()) return std::nullopt;
  out.reserve(value.size());
  for (const Json& item : value) {
    std::optional<std::string> text = AsString(item);
    if (!text) return std::nullopt;
    out.push_back(*std::move(text));
  }
  return out;
}

std::string TextAt(const Json& object, std::string_view key) {
  return AsString(At(object, {key})).value_or("");
}

}  // namespace tidewaiter
