// Times as the engine writes and takes them. Pure; the text is a stranger's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::docker {

using EngineTime = std::chrono::sys_time<std::chrono::nanoseconds>;

// RFC 3339 with up to nine digits of a second and any offset: "2026-11-22T18:51:09.765925175Z".
// Nothing for other texts, for years outside 1970 to 2261, and so for the engine's "never"
// ("0001-01-01T00:00:00Z").
std::optional<EngineTime> ParseEngineTime(std::string_view text) noexcept;

// "SECONDS.NANOSECONDS", as a query's `since`; "" for what is not after 1970 began.
std::string SinceText(EngineTime time);

}  // namespace tidewaiter::docker
