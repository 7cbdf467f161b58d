#include "client/commands/env_flag.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/printable.h"
#include "client/commands/files.h"

namespace tidewaiter::cli {
namespace {

constexpr std::size_t kEnvFileBytes = std::size_t{1} << 20;

}  // namespace

std::optional<std::string> LookupEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

Result<void> ApplyEnvFlag(std::string_view text, const Lookup& lookup, EnvMap& env) {
  const std::size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (name.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("set variable {}: it has no name", Quoted(text)));
  }
  if (equals != std::string_view::npos) {
    env[name] = std::string(text.substr(equals + 1));
  } else if (const std::optional<std::string> value = lookup(name)) {
    env[name] = *value;
  }
  return Ok();
}

Result<void> ApplyEnvFile(const std::string& path, const Lookup& lookup, EnvMap& env) {
  TW_ASSIGN(const std::string content, ReadFile(path, kEnvFileBytes));
  std::string_view rest = content;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const auto applied = ApplyEnvFlag(line, lookup, env);
    if (!applied) {
      return applied.error().Within(fmt::format("{}:{}", Printable(path), number));
    }
  }
  return Ok();
}

}  // namespace tidewaiter::cli
