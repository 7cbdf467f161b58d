// What an output can show: colours, bars, how many columns. Decided once per output, from the file
// descriptor and the environment. Thread: any, immutable.
#pragma once

#include <string>
#include <string_view>

namespace tidewaiter::client {

enum class Style { kBold, kDim, kRed, kGreen, kYellow };

class Terminal {
 public:
  // Looks at `fd` (borrowed), NO_COLOR (https://no-color.org: any value that is not empty) and
  // TERM.
  static Terminal Of(int fd);
  // A file or a pipe: no colour, no width.
  static Terminal None() { return Terminal(); }
  // A terminal of that many columns, for callers that know better.
  static Terminal With(bool colour, int columns) { return Terminal(true, colour, columns); }

  [[nodiscard]] bool is_terminal() const noexcept { return is_terminal_; }
  // At least 20 on a terminal; 0 where it is none: nothing is to be wrapped or cut there.
  [[nodiscard]] int columns() const noexcept { return columns_; }

  // `text` in that style, or as it is where there is no colour.
  [[nodiscard]] std::string Paint(Style style, std::string_view text) const;

 private:
  Terminal() = default;
  Terminal(bool is_terminal, bool colour, int columns)
      : is_terminal_(is_terminal), colour_(colour), columns_(columns) {}

  bool is_terminal_ = false;
  bool colour_ = false;
  int columns_ = 0;
};

}  // namespace tidewaiter::client
