#include "client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace tidewaiter::client {
namespace {

constexpr int kDefaultColumns = 80;
constexpr int kFewestColumns = 20;

// ECMA-48 "select graphic rendition".
std::string_view Sequence(Style style) noexcept {
  switch (style) {
    case Style::kBold: return "\x1b[1m";
    case Style::kDim: return "\x1b[2m";
    case Style::kRed: return "\x1b[31m";
    case Style::kGreen: return "\x1b[32m";
    case Style::kYellow: return "\x1b[33m";
  }
  return {};
}

}  // namespace

Terminal Terminal::Of(int fd) {
  if (::isatty(fd) != 1) return None();
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool colour = (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
                      std::string_view(term) != "dumb";
  return With(colour, std::max(known ? size.ws_col : kDefaultColumns, kFewestColumns));
}

std::string Terminal::Paint(Style style, std::string_view text) const {
  if (!colour_) return std::string(text);
  return std::string(Sequence(style)).append(text).append("\x1b[0m");
}

}  // namespace tidewaiter::client
