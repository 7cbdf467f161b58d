// How deep a TOML text nests, found without building anything: toml++ 3.3 bounds the depth of
// arrays and inline tables but not of dotted keys, so "a.a.a.a..." becomes a tree whose destructor
// overruns the stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/toml_lexer.h"

namespace tidewaiter {

// The first place where brackets nest deeper than `limit` or one key has more than `limit` dots;
// nothing where there is none. Linear in the text. Reads texts that are not TOML as far as a TOML
// parser would.
std::optional<TomlPosition> FindDeepNesting(std::string_view text, std::size_t limit) noexcept;

}  // namespace tidewaiter
