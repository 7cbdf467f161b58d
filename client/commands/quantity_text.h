// Sizes and durations as the command line takes and prints them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::cli {

// Bytes as docker reads them: digits, perhaps with a fraction, then b, k, m, g, t or p in either
// case, perhaps "i" and "B" after it. All are powers of 1,024: "1.5g", "512m", "2GiB", "64".
// Fractions of a byte are dropped. A leading '-' is kept, so that the policy can refuse it by name.
Result<std::int64_t> ParseByteSize(std::string_view text);

// A duration of parts such as "1h30m", "90s", "250ms" or "1.5h"; a plain number means seconds.
// In steps of a millisecond; what is finer is refused.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// "1.5 GiB", "512 B".
std::string FormatBytes(std::int64_t bytes);

// "2 s", "3 min", "4 h", "5 d": the largest unit that fits, rounded down.
std::string FormatAge(std::chrono::seconds age);

// "1.234 s", "15 min", "1 h 30 min": exact down to a millisecond.
std::string FormatDuration(std::chrono::milliseconds duration);

// The same of what is known to about one percent: "14 s", "1.2 s", "310 ms", whole seconds from 10
// s.
std::string FormatAbout(std::chrono::milliseconds duration);

}  // namespace tidewaiter::cli
