// What tidewaiter-carrier says to people, and how it ends.
#pragma once

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::extract {

inline constexpr int kNotDone = 1;
inline constexpr int kCannotBegin = 2;

// On stderr. Returns `status`.
inline int Say(int status, const std::string& message) {
  std::fprintf(stderr, "tidewaiter-carrier: %s\n", message.c_str());
  return status;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace tidewaiter::extract
