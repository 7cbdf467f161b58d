// A copy of a TOML text with stretches of it replaced, which still knows where each place of the
// copy was: what is found in the copy is told of the text. A value; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/toml_lexer.h"

namespace tidewaiter {

class TomlCopy {
 public:
  // Replaces [begin, end) of `original` by `with`: ASCII without a line break, in place of a
  // stretch of one line behind the one replaced before, `at` being its place. The original is the
  // same for each call.
  void Replace(std::string_view original, std::size_t begin, std::size_t end, TomlPosition at,
               std::string_view with);

  // Whether it is no different from its original.
  [[nodiscard]] bool empty() const noexcept { return shifts_.empty(); }
  // The whole copy.
  [[nodiscard]] std::string Text(std::string_view original) const;
  // Where that place of the copy was in the original.
  [[nodiscard]] TomlPosition Original(TomlPosition place) const noexcept;

 private:
  // From `from` of the copy to the end of its line, columns are `columns` more than in the text.
  struct Shift {
    TomlPosition from;
    std::ptrdiff_t columns = 0;
  };

  std::string begun_;          // the copy as far as it was replaced
  std::size_t copied_ = 0;     // bytes of the original that it stands for
  std::vector<Shift> shifts_;  // by place
};

}  // namespace tidewaiter
