// Keys and tables that a TOML text defines twice. toml++ stops at the first of them, which would
// hide every other problem of the file; so they are found before, and toml++ gets a copy of the
// text in which each of them has a name of its own and all else stands in its line.
//
// What the second definition of a key says is read by no one. The keys of a table's second header
// belong to the table, where it has none of that name (base/toml_reunion.h).
//
// The rules are those of toml++ 3.3, which are TOML 1.0's. A text that breaks the syntax is read as
// far as it is understood. Linear in the text but for the depth of what it nests, which must be
// bounded before (base/toml_nesting.h). Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/toml_copy.h"
#include "base/toml_lexer.h"
#include "base/toml_tree.h"

namespace tidewaiter {

struct TomlDuplicate {
  TomlPosition at;
  std::string text;  // what: what would be right
};

// A table at the root of the copy whose keys belong to the table at `path`.
struct TomlStray {
  std::string name;
  std::vector<TomlStep> path;
};

struct TomlDuplicates {
  // No more are told of one text; the others are counted.
  static constexpr std::size_t kMaxTold = 100;

  std::vector<TomlDuplicate> told;  // in the order of the text
  std::size_t untold = 0;
  std::vector<TomlStray> strays;  // in the order of the text
  TomlCopy copy;
};

TomlDuplicates FindTomlDuplicates(std::string_view text);

// Whether a key is one that only such a copy has. A text that has one itself and no duplicates is
// never copied.
bool IsMadeUpTomlKey(std::string_view name) noexcept;

}  // namespace tidewaiter
