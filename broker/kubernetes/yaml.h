// YAML of strangers as plain data, read within bounds (YAML 1.2, https://yaml.org/spec/1.2.2).
// yaml-cpp's own tree expands nothing and bounds nothing: only its parser is used, by its events.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidewaiter::kubernetes {

struct YamlNode {
  enum class Kind { kNull, kText, kList, kMap };
  Kind kind = Kind::kNull;
  // Of kText, as it was written: a number or a boolean is not told from a string but by `plain`.
  std::string text;
  bool plain = false;  // without quotes
  // Of kMap: keys[i] names items[i], and no two are the same. Of kList: items alone.
  std::vector<std::string> keys;
  std::vector<YamlNode> items;
  int line = 0;  // where it begins, both from 1
  int column = 0;

  // What that key of a map names; nothing where this is no map or has no such key.
  [[nodiscard]] const YamlNode* Find(std::string_view key) const noexcept;
};

// More is not read.
inline constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20U;
inline constexpr int kMaxYamlDepth = 32;
inline constexpr std::size_t kMaxYamlNodes = 50'000;

// The one document of `text`. Errors: INVALID_ARGUMENT, `LINE:COLUMN: what is wrong`, without a
// word of the text itself, which may be secret: not YAML, not UTF-8, a second document, a key
// twice, a key that is no plain text, and what is not supported: anchors and aliases, explicit
// tags, merge keys ("<<"). RESOURCE_EXHAUSTED: longer, deeper or of more nodes than those bounds.
Result<YamlNode> ParseYaml(std::string_view text);

}  // namespace tidewaiter::kubernetes
