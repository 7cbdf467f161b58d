#include "client/commands/quantity_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::cli {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

struct Decimal {
  std::int64_t whole = 0;
  // The first nine digits after the point, in billionths.
  std::int64_t billionths = 0;
};

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Takes "12" or "1.5" off the front of `text`.
std::optional<Decimal> TakeDecimal(std::string_view& text) {
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  Decimal value;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value.whole, 10);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text.front() != '.') return value;
  text.remove_prefix(1);
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  for (std::int64_t place = 100'000'000; !text.empty() && IsDigit(text.front()); place /= 10) {
    value.billionths += place * (text.front() - '0');
    text.remove_prefix(1);
  }
  return value;
}

// value * scale, rounded down; empty where it does not fit.
std::optional<std::int64_t> Scale(const Decimal& value, std::int64_t scale) noexcept {
  using Wide = __int128;  // 2^50 * 10^9 is more than 64 bits hold
  const Wide product = Wide{value.whole} * scale + Wide{value.billionths} * scale / 1'000'000'000;
  if (product > kMost) return std::nullopt;
  return static_cast<std::int64_t>(product);
}

// 1,024 to the power that the letter stands for; 0: no such unit.
std::int64_t ByteUnit(char letter) noexcept {
  constexpr std::string_view kLetters = "bkmgtp";
  const auto lower = static_cast<char>(letter | 0x20);
  const std::size_t power = kLetters.find(lower);
  return power == std::string_view::npos ? 0 : std::int64_t{1} << (10 * power);
}

Error BadSize(std::string_view text) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("read size {}: expected a number and a unit, as 512m or 2g", Quoted(text)));
}

Error BadDuration(std::string_view text) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("read duration {}: expected numbers and units, as 90s, 15m or 1h30m",
                          Quoted(text)));
}

// Takes a unit off the front of `text`: its milliseconds, or 0 where there is none.
std::int64_t TakeDurationUnit(std::string_view& text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  for (const auto& [name, millis] : kUnits) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return millis;
  }
  return 0;
}

}  // namespace

Result<std::int64_t> ParseByteSize(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  const std::optional<Decimal> value = TakeDecimal(rest);
  if (!value) return BadSize(text);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  std::int64_t unit = 1;
  if (!rest.empty()) {
    unit = ByteUnit(rest.front());
    if (unit == 0) return BadSize(text);
    const bool prefix = unit > 1;
    rest.remove_prefix(1);
    if (prefix && (rest.starts_with('i') || rest.starts_with('I'))) rest.remove_prefix(1);
    if (prefix && (rest.starts_with('b') || rest.starts_with('B'))) rest.remove_prefix(1);
  }
  const std::optional<std::int64_t> bytes = Scale(*value, unit);
  if (!rest.empty() || !bytes) return BadSize(text);
  return negative ? -*bytes : *bytes;
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  std::int64_t total = 0;
  bool first = true;
  do {
    const std::optional<Decimal> value = TakeDecimal(rest);
    if (!value) return BadDuration(text);
    const bool plain_seconds = rest.empty() && first;
    const std::int64_t unit = plain_seconds ? 1000 : TakeDurationUnit(rest);
    const std::optional<std::int64_t> part = Scale(*value, unit);
    const bool exact = value->billionths * unit % 1'000'000'000 == 0;
    if (unit == 0 || !part || !exact || *part > kMost - total) return BadDuration(text);
    total += *part;
    first = false;
  } while (!rest.empty());
  return std::chrono::milliseconds(negative ? -total : total);
}

std::string FormatBytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, kUnits[unit]);
}

std::string FormatAge(std::chrono::seconds age) {
  const std::int64_t seconds = age.count() < 0 ? 0 : age.count();
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 86'400) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86'400);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  std::int64_t left = duration.count();
  std::string out;
  const auto take = [&](std::int64_t unit, std::string_view name) {
    if (left < unit) return;
    out += fmt::format("{}{} {}", out.empty() ? "" : " ", left / unit, name);
    left %= unit;
  };
  take(3'600'000, "h");
  take(60'000, "min");
  if (left == 0 && !out.empty()) return out;
  return fmt::format("{}{}{:g} s", out, out.empty() ? "" : " ", static_cast<double>(left) / 1000);
}

std::string FormatAbout(std::chrono::milliseconds duration) {
  using std::chrono::seconds;
  if (duration < seconds(1)) return FormatDuration(duration);
  // Not rounded up where that could be past the largest.
  if (duration >= std::chrono::hours(1)) {
    return FormatDuration(std::chrono::floor<seconds>(duration));
  }
  const std::int64_t step = duration < seconds(10) ? 100 : 1000;
  return FormatDuration(std::chrono::milliseconds((duration.count() + step / 2) / step * step));
}

}  // namespace tidewaiter::cli
