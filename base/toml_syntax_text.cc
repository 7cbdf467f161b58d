#include "base/toml_syntax_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"

namespace tidewaiter {
namespace {

constexpr std::string_view kNumber =
    "a number of 64 bits such as 512 or 0.5, or a text in quotes such as \"2GiB\"";

// By the part of the text in which toml++ gave up.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kRight{{
    {"array", "[VALUE, VALUE]"},
    {"boolean", "true or false, or a text in quotes"},
    {"comment", "text without control characters"},
    {"decimal integer", kNumber},
    {"floating-point", kNumber},
    {"hexadecimal integer", "digits and letters to f after 0x"},
    {"inline table", "{KEY = VALUE, KEY = VALUE} on one line"},
    {"key", "letters, digits, '_' and '-', or a text in quotes"},
    {"key-value pair", "KEY = VALUE on one line, texts in quotes"},
    {"root table", "[TABLE], KEY = VALUE or # COMMENT"},
    {"string", "\"a text on one line, \\\\ for one backslash\""},
    {"table header", "[TABLE] or [[TABLE]] on a line of its own"},
    {"value", "a text in quotes, a number, true, false, [VALUE] or {KEY = VALUE}"},
}};

}  // namespace

std::string TomlSyntaxText(std::string_view description) {
  constexpr std::string_view kPrefix = "Error while parsing ";
  std::string_view right = "TOML 1.0 in UTF-8";
  if (description.starts_with(kPrefix)) {
    description.remove_prefix(kPrefix.size());
    const std::string_view scope = description.substr(0, description.find(':'));
    const auto known = std::find_if(kRight.begin(), kRight.end(),
                                    [scope](const auto& each) { return each.first == scope; });
    if (known != kRight.end()) right = known->second;
  }
  std::string what(description);
  std::replace(what.begin(), what.end(), '\'', '"');  // else Printable() escapes them
  return fmt::format("not TOML: {}: {}", Printable(what, 400), right);
}

}  // namespace tidewaiter
