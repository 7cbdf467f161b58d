#include "broker/kubernetes/quantity.h"

#include <array>
#include <charconv>
#include <utility>

namespace tidewaiter::kubernetes {
namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 12> kSuffixes{{
    {"m", 1},
    {"", 1000},
    {"k", 1000LL * 1000},
    {"M", 1000LL * 1000 * 1000},
    {"G", 1000LL * 1000 * 1000 * 1000},
    {"T", 1000LL * 1000 * 1000 * 1000 * 1000},
    {"P", 1000LL * 1000 * 1000 * 1000 * 1000 * 1000},
    {"Ki", 1000LL << 10U},
    {"Mi", 1000LL << 20U},
    {"Gi", 1000LL << 30U},
    {"Ti", 1000LL << 40U},
    {"Pi", 1000LL << 50U},
}};

}  // namespace

std::optional<std::int64_t> QuantityMillis(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [known, factor] : kSuffixes) {
    if (known != suffix) continue;
    std::int64_t millis = 0;
    if (__builtin_mul_overflow(number, factor, &millis)) return std::nullopt;
    return millis;
  }
  return std::nullopt;
}

}  // namespace tidewaiter::kubernetes
