// What toml++ says of a text that is no TOML, in the form of every other problem of a file: what:
// what would be right. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace tidewaiter {

// `description`: that of a toml::parse_error, "Error while parsing SCOPE: WHAT" mostly.
std::string TomlSyntaxText(std::string_view description);

}  // namespace tidewaiter
