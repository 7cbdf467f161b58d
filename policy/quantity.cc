#include "policy/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "base/printable.h"

namespace tidewaiter::policy {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

struct Unit {
  std::string_view text;
  std::int64_t factor;
};

constexpr std::array<Unit, 5> kSizeUnits{{{"TiB", std::int64_t{1} << 40U},
                                          {"GiB", std::int64_t{1} << 30U},
                                          {"MiB", std::int64_t{1} << 20U},
                                          {"KiB", std::int64_t{1} << 10U},
                                          {"B", 1}}};
// Larger first, as they must stand in a text.
constexpr std::array<Unit, 4> kTimeUnits{{{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}}};

Error Invalid(std::string_view what, std::string_view text, std::string_view right) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("parse {} {}: {}", what, Quoted(text), right));
}

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::optional<std::int64_t> Multiply(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Takes leading digits off `text`; nothing where there are none or they overflow.
std::optional<std::int64_t> TakeInteger(std::string_view& text) noexcept {
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  std::int64_t value = 0;
  while (!text.empty() && IsDigit(text.front())) {
    const std::int64_t digit = text.front() - '0';
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
    text.remove_prefix(1);
  }
  return value;
}

// Takes digits with an optional fraction off `text`, in units of 1/`scale`. The fraction must come
// out whole.
std::optional<std::int64_t> TakeScaled(std::string_view& text, std::int64_t scale,
                                       bool& fractional) noexcept {
  const auto whole = TakeInteger(text);
  if (!whole) return std::nullopt;
  const auto scaled = Multiply(*whole, scale);
  if (!scaled) return std::nullopt;
  fractional = !text.empty() && text.front() == '.';
  if (!fractional) return scaled;
  text.remove_prefix(1);
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  std::int64_t fraction = 0;
  std::int64_t unit = scale;
  while (!text.empty() && IsDigit(text.front())) {
    const std::int64_t digit = text.front() - '0';
    text.remove_prefix(1);
    if (digit != 0 && (unit == 0 || unit % 10 != 0)) return std::nullopt;
    unit /= 10;
    fraction += digit * unit;
  }
  if (*scaled > kMax - fraction) return std::nullopt;
  return *scaled + fraction;
}

}  // namespace

Result<std::int64_t> ParseSize(std::string_view text) {
  constexpr std::string_view kRight = "a whole number and B, KiB, MiB, GiB or TiB, as in '64MiB'";
  std::string_view rest = text;
  const auto number = TakeInteger(rest);
  if (!number) return Invalid("size", text, kRight);
  if (rest.empty()) return *number;
  for (const Unit& unit : kSizeUnits) {
    if (rest != unit.text) continue;
    const auto bytes = Multiply(*number, unit.factor);
    if (!bytes) return Invalid("size", text, "at most 8388607TiB");
    return *bytes;
  }
  return Invalid("size", text, kRight);
}

Result<std::int64_t> ParseCpuMillis(std::string_view text) {
  std::string_view rest = text;
  bool fractional = false;
  const auto millis = TakeScaled(rest, 1000, fractional);
  if (!millis || !rest.empty()) {
    return Invalid("cpus", text, "a number with at most three decimals, as in '0.5'");
  }
  return *millis;
}

Result<std::int64_t> CpuMillis(double cpus) {
  constexpr double kMaxCpus = 1e9;
  if (!std::isfinite(cpus) || cpus > kMaxCpus || cpus < -kMaxCpus) {
    return Fail(ErrorCode::kInvalidArgument, "read cpus: not a finite number in a sane range");
  }
  constexpr double kMillis = 1000;
  const double rounded = std::round(cpus * kMillis);
  // Division gives the double that is nearest to so many thousandths, which a text of them is too.
  if (rounded / kMillis != cpus) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("read cpus {}: at most three decimals", cpus));
  }
  return static_cast<std::int64_t>(rounded);
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  constexpr std::string_view kRight = "numbers with h, m, s or ms, as in '15m', '1h30m' or '500ms'";
  std::string_view rest = text;
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  do {
    std::string_view digits = rest;
    std::size_t length = 0;
    while (length < rest.size() && (IsDigit(rest[length]) || rest[length] == '.')) ++length;
    rest.remove_prefix(length);
    digits = digits.substr(0, length);
    std::size_t unit_length = 0;
    while (unit_length < rest.size() && rest[unit_length] >= 'a' && rest[unit_length] <= 'z') {
      ++unit_length;
    }
    while (next_unit < kTimeUnits.size() &&
           kTimeUnits[next_unit].text != rest.substr(0, unit_length)) {
      ++next_unit;
    }
    if (next_unit == kTimeUnits.size()) return Invalid("duration", text, kRight);
    bool fractional = false;
    const auto millis = TakeScaled(digits, kTimeUnits[next_unit].factor, fractional);
    ++next_unit;
    rest.remove_prefix(unit_length);
    if (!millis || !digits.empty() || (fractional && !rest.empty()) || *millis > kMax - total) {
      return Invalid("duration", text, kRight);
    }
    total += *millis;
  } while (!rest.empty());
  return std::chrono::milliseconds(total);
}

std::string FormatSize(std::int64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (bytes != 0 && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.text);
    }
  }
  return fmt::format("{}B", bytes);
}

std::string FormatCpuMillis(std::int64_t millis) {
  const bool negative = millis < 0;
  const std::uint64_t magnitude = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(millis)
                                           : static_cast<std::uint64_t>(millis);
  std::string text =
      fmt::format("{}{}.{:03}", negative ? "-" : "", magnitude / 1000, magnitude % 1000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  const std::int64_t millis = duration.count();
  for (const Unit& unit : kTimeUnits) {
    if (millis != 0 && millis % unit.factor == 0) {
      return fmt::format("{}{}", millis / unit.factor, unit.text);
    }
  }
  return fmt::format("{}ms", millis);
}

}  // namespace tidewaiter::policy
