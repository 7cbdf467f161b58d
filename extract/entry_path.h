// A name from an archive as a path below the destination. Pure.
#pragma once

#include <string>
#include <string_view>

#include "extract/limits.h"
#include "extract/refusal.h"

namespace tidewaiter::extract {

// "a/b/c", without a slash at either end, without ".", ".." or empty components; empty for the
// destination itself ("./", which many archives begin with). "." and empty components are dropped,
// as every program does: "./a//b" is "a/b". A file's last one is neither. Case, Unicode form and
// every other character are kept.
// Refusals: absolute, dot-dot, empty-name, nul, control-character, not-utf8, component-too-long,
// path-too-long (also by what is dropped), too-deep, ambiguous (a file "a/."); each names `name`.
Expected<std::string> ToEntryPath(std::string_view name, bool is_folder, const Limits& limits);

}  // namespace tidewaiter::extract
