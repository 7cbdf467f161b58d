#include "wire/fitted_json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "wire/json_scalar.h"

namespace tidewaiter::wire {
namespace {

constexpr std::string_view kLargest = "1e308";

// Of the string, the number without its sign, or the NaN or Infinity that begins there, else of one
// character.
std::size_t TokenEnd(std::string_view json, std::size_t begin) noexcept {
  const std::string_view rest = json.substr(begin);
  if (rest.front() == '"') {
    std::size_t i = 1;
    while (i < rest.size() && rest[i] != '"') i += rest[i] == '\\' ? 2U : 1U;
    return begin + std::min(i + 1, rest.size());
  }
  if (rest.front() >= '0' && rest.front() <= '9') {
    return begin + std::min(rest.find_first_not_of("0123456789+-.eE"), rest.size());
  }
  for (const std::string_view word : {"NaN", "Infinity"}) {
    if (rest.starts_with(word)) return begin + word.size();
  }
  return begin + 1;
}

// Not behind the beginning of another number, which would make one of both.
bool MayBeginNumber(std::string_view json, std::size_t at) noexcept {
  constexpr std::string_view kBefore = " \t\r\n:,[-";
  return at > 0 && kBefore.find(json[at - 1]) != std::string_view::npos;
}

bool IsTooLarge(std::string_view token) {
  return IsJsonNumber(token) && std::isinf(std::strtod(std::string(token).c_str(), nullptr));
}

}  // namespace

FittedJson::FittedJson(std::string_view json) {
  text_.reserve(json.size());
  for (std::size_t begin = 0; begin < json.size();) {
    const std::size_t end = TokenEnd(json, begin);
    const std::string_view token = json.substr(begin, end - begin);
    const bool unfit = token == "NaN" || token == "Infinity" || IsTooLarge(token);
    if (unfit && MayBeginNumber(json, begin)) {
      text_ += kLargest;
      anchors_.emplace_back(text_.size(), end);
    } else {
      text_ += token;
    }
    begin = end;
  }
}

std::size_t FittedJson::Original(std::size_t at) const noexcept {
  const auto after = std::upper_bound(
      anchors_.begin(), anchors_.end(), at,
      [](std::size_t wanted, const auto& anchor) { return wanted < anchor.first; });
  if (after == anchors_.begin()) return at;
  return std::prev(after)->second + at - std::prev(after)->first;
}

}  // namespace tidewaiter::wire
