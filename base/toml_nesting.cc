#include "base/toml_nesting.h"

namespace tidewaiter {

std::optional<TomlPosition> FindDeepNesting(std::string_view text, std::size_t limit) noexcept {
  std::size_t depth = 0;
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
      case '\'': i = SkipTomlString(text, i); continue;
      case '#':
        while (i < text.size() && text[i] != '\n') ++i;
        continue;
      case '.': ++dots; break;
      case '[':
      case '{':
        ++depth;
        dots = 0;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        dots = 0;
        break;
      case '=':
      case ',':
      case '\n': dots = 0; break;
      default: break;
    }
    if (depth > limit || dots > limit) return TomlRuler(text).At(i);
    ++i;
  }
  return std::nullopt;
}

}  // namespace tidewaiter
