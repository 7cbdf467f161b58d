// The wall clock as records show it. The only place in the log that reads it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::audit {

using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;

// Length of every FormatTimestamp().
inline constexpr std::size_t kTimestampBytes = 30;

Timestamp Now() noexcept;

// RFC 3339 in UTC with nine digits, "2026-10-02T12:34:56.000000789Z": of fixed width, so that texts
// compare as the times do. Years outside 1678 to 2261 do not exist in the type.
std::string FormatTimestamp(Timestamp when);

// The time of a text in exactly that form; nothing for any other.
std::optional<Timestamp> ParseTimestamp(std::string_view text);

}  // namespace tidewaiter::audit
