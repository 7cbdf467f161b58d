#include "base/toml_copy.h"

#include <algorithm>

namespace tidewaiter {

void TomlCopy::Replace(std::string_view original, std::size_t begin, std::size_t end,
                       TomlPosition at, std::string_view with) {
  begun_ += original.substr(copied_, begin - copied_);
  begun_ += with;
  copied_ = end;
  const std::string_view replaced = original.substr(begin, end - begin);
  const auto code_points =
      static_cast<std::ptrdiff_t>(TomlRuler(replaced).At(replaced.size()).column - 1);
  Shift shift{.from = at, .columns = 0};
  if (!shifts_.empty() && shifts_.back().from.line == at.line)
    shift.columns = shifts_.back().columns;
  shift.from.column =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at.column) + shift.columns) +
      with.size();
  shift.columns += static_cast<std::ptrdiff_t>(with.size()) - code_points;
  shifts_.push_back(shift);
}

std::string TomlCopy::Text(std::string_view original) const {
  return begun_ + std::string(original.substr(copied_));
}

TomlPosition TomlCopy::Original(TomlPosition place) const noexcept {
  const auto after = std::upper_bound(
      shifts_.begin(), shifts_.end(), place,
      [](const TomlPosition& wanted, const Shift& shift) { return wanted < shift.from; });
  if (after == shifts_.begin()) return place;
  const Shift& shift = *std::prev(after);
  if (shift.from.line != place.line) return place;
  return {place.line,
          static_cast<std::size_t>(static_cast<std::ptrdiff_t>(place.column) - shift.columns)};
}

}  // namespace tidewaiter
