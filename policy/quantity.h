// Sizes, CPUs and durations as people write them in the policy file and on the command line. Exact
// integers inside: a value that cannot be kept exactly, overflows or is not finite is an error,
// never rounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::policy {

// "2GiB", "64MiB", "512KiB", "1TiB", "4096B", "4096": a plain decimal, then nothing or one unit of
// powers of 1024. Decimal units (MB) and single letters (m, g) are refused: they mean different
// things to different tools.
Result<std::int64_t> ParseSize(std::string_view text);

// "1", "0.5", "0.125": at most three decimals, since CPUs are counted in thousandths. Returns
// thousandths.
Result<std::int64_t> ParseCpuMillis(std::string_view text);
// The same of a floating-point number, which must be the one nearest to a number of thousandths, as
// the literal 0.1 is: none is rounded to what was not asked for.
Result<std::int64_t> CpuMillis(double cpus);

// "15m", "24h", "30s", "500ms", "1h30m", "1.5s": decimals with h, m, s or ms, larger units first,
// each once. A fraction may stand only in the last part, and the whole must be whole milliseconds.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The shortest exact form, which the parser reads back: "2GiB", "1536MiB", "100B"; "0.5"; "15m",
// "1500ms".
std::string FormatSize(std::int64_t bytes);
std::string FormatCpuMillis(std::int64_t millis);
std::string FormatDuration(std::chrono::milliseconds duration);

}  // namespace tidewaiter::policy
