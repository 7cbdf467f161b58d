// docker's -e and --env-file. Pure but for the reading of the file.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::cli {

// Value of a variable of the caller's own environment; empty: not set.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
std::optional<std::string> LookupEnvironment(const std::string& name);

using EnvMap = std::map<std::string, std::string>;

// "NAME=VALUE" sets; "NAME" takes the value from `lookup`, and nothing where it is not set there
// (as docker does). Later ones win.
Result<void> ApplyEnvFlag(std::string_view text, const Lookup& lookup, EnvMap& env);

// The same for each line of a file of at most 1 MiB; empty lines and lines that begin with '#' do
// not count, blanks before a name neither. Errors name FILE:LINE.
Result<void> ApplyEnvFile(const std::string& path, const Lookup& lookup, EnvMap& env);

}  // namespace tidewaiter::cli
