#include "audit/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace tidewaiter::audit {

Timestamp Now() noexcept {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

std::string FormatTimestamp(Timestamp when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(when - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::optional<Timestamp> ParseTimestamp(std::string_view text) {
  if (text.size() != kTimestampBytes) return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t digits) {
    std::int64_t value = 0;
    for (const char c : text.substr(at, digits)) {
      if (c < '0' || c > '9') return std::int64_t{-1};
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const std::int64_t year = number(0, 4);
  // Of the years that the type has.
  if (year < 1678 || year > 2261) return std::nullopt;
  const auto month = static_cast<unsigned>(std::max<std::int64_t>(number(5, 2), 0));
  const auto day = static_cast<unsigned>(std::max<std::int64_t>(number(8, 2), 0));
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const Timestamp when = std::chrono::sys_days(date) + std::chrono::hours(number(11, 2)) +
                         std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2)) +
                         std::chrono::nanoseconds(number(20, 9));
  // One form only: whatever else is wrong shows when it is written again.
  return FormatTimestamp(when) == text ? std::optional(when) : std::nullopt;
}

}  // namespace tidewaiter::audit
