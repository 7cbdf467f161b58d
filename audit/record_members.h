// The members of one record by name: all that record_header.h leaves out. Parses the whole line, so
// only for the lines whose header was not enough. Reads hostile bytes: a line is bounded
// (kMaxLineBytes), and so is how deep it nests. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::audit {

// What a record nests stays below 5. Bounded since nlohmann's dump() recurses.
inline constexpr std::size_t kMaxRecordDepth = 16;

// The line's members. INVALID_ARGUMENT where it is no JSON object, or nests deeper than that.
Result<nlohmann::json> ParseMembers(std::string_view line);

// A member of `object`; null where it has none of that name, or is itself no object.
const nlohmann::json& MemberOf(const nlohmann::json& object, std::string_view name);

// The same as a text, "" where it is none. Points into `object`.
std::string_view TextOf(const nlohmann::json& object, std::string_view name);
// As an integer, nothing where it is none that 64 bits hold.
std::optional<std::int64_t> IntegerOf(const nlohmann::json& object, std::string_view name);
// As a flag, false where it is none.
bool FlagOf(const nlohmann::json& object, std::string_view name);

}  // namespace tidewaiter::audit
