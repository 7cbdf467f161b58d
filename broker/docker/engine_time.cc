#include "broker/docker/engine_time.h"

#include <cstdint>

namespace tidewaiter::docker {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kMaxFraction = 9;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes what it reads off the front of the text. Once something was not there, nothing is.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  int Number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (text_.empty() || !IsDigit(text_.front())) return Wrong();
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    return value;
  }
  bool Take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void Want(char c) {
    if (!Take(c)) Wrong();
  }
  int Wrong() {
    good_ = false;
    text_ = {};
    return 0;
  }
  [[nodiscard]] bool DigitNext() const { return !text_.empty() && IsDigit(text_.front()); }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool Whole() const { return good_ && text_.empty(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

nanoseconds Fraction(Reader& reader) {
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; reader.DigitNext(); ++digits) {
    if (digits == kMaxFraction) reader.Wrong();
    value = value * 10 + reader.Number(1);
  }
  if (digits == 0) reader.Wrong();
  for (; digits < kMaxFraction; ++digits) value *= 10;
  return nanoseconds(value);
}

std::chrono::minutes Offset(Reader& reader) {
  if (reader.Take('Z')) return std::chrono::minutes(0);
  const bool west = reader.Take('-');
  if (!west) reader.Want('+');
  const int hours = reader.Number(2);
  reader.Want(':');
  const int minutes = reader.Number(2);
  if (hours > 23 || minutes > 59) reader.Wrong();
  const std::chrono::minutes offset(hours * 60 + minutes);
  return west ? -offset : offset;
}

}  // namespace

std::optional<EngineTime> ParseEngineTime(std::string_view text) noexcept {
  Reader reader(text);
  const int year = reader.Number(4);
  reader.Want('-');
  const int month = reader.Number(2);
  reader.Want('-');
  const int day = reader.Number(2);
  reader.Want('T');
  const int hour = reader.Number(2);
  reader.Want(':');
  const int minute = reader.Number(2);
  reader.Want(':');
  const int second = reader.Number(2);
  const nanoseconds fraction = reader.Take('.') ? Fraction(reader) : nanoseconds(0);
  const std::chrono::minutes offset = Offset(reader);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  const bool in_range =
      year >= 1970 && year <= 2261 && date.ok() && hour <= 23 && minute <= 59 && second <= 59;
  if (!reader.Whole() || !in_range) return std::nullopt;
  return EngineTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + fraction - offset;
}

std::string SinceText(EngineTime time) {
  const std::int64_t nanos = time.time_since_epoch().count();
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (nanos <= 0) return {};
  std::string fraction = std::to_string(nanos % kSecond);
  fraction.insert(0, kMaxFraction - fraction.size(), '0');
  return std::to_string(nanos / kSecond) + "." + fraction;
}

}  // namespace tidewaiter::docker
