#include "audit/record_members.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace tidewaiter::audit {
namespace {

bool NestsTooDeep(std::string_view line) {
  std::size_t depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      in_text = !in_text;
    } else if (in_text) {
      if (c == '\\') ++i;  // and what it escapes
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxRecordDepth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<nlohmann::json> ParseMembers(std::string_view line) {
  if (NestsTooDeep(line)) {
    return Fail(ErrorCode::kInvalidArgument, "read record: it nests too deep");
  }
  auto members = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!members.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "read record: it is no JSON object");
  }
  return members;
}

const nlohmann::json& MemberOf(const nlohmann::json& object, std::string_view name) {
  static const nlohmann::json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

std::string_view TextOf(const nlohmann::json& object, std::string_view name) {
  const auto* const text = MemberOf(object, name).get_ptr<const std::string*>();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

std::optional<std::int64_t> IntegerOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json& value = MemberOf(object, name);
  if (!value.is_number_integer()) return std::nullopt;
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMost) return std::nullopt;
  return value.get<std::int64_t>();
}

bool FlagOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json& value = MemberOf(object, name);
  return value.is_boolean() && value.get<bool>();
}

}  // namespace tidewaiter::audit
