// JSON of strangers (the engine, registries, credential files), read without exceptions and within
// bounds. Pure. An accessor that meets another type than it asks for gives nothing, never a throw.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidewaiter {

using Json = nlohmann::json;

// Nothing where `text` is not one JSON value, or nests deeper than 64. The caller bounds its
// length.
std::optional<Json> ParseJson(std::string_view text);

// The text of `value`, on one line. Errors: INVALID_ARGUMENT where a string in it is not UTF-8
// (JSON cannot carry it, and replacing bytes would change what was admitted).
Result<std::string> JsonText(const Json& value);

// The member found by following `path` through objects; a JSON null where any step is missing.
const Json& At(const Json& value, std::initializer_list<std::string_view> path) noexcept;

std::optional<std::string> AsString(const Json& value);
std::optional<std::int64_t> AsInt(const Json& value);
std::optional<bool> AsBool(const Json& value);
// An array of strings; null counts as an empty one, as the engine writes it.
std::optional<std::vector<std::string>> AsStrings(const Json& value);

// The string member `key` of an object, or "" where it is missing or no string.
std::string TextAt(const Json& object, std::string_view key);

}  // namespace tidewaiter
