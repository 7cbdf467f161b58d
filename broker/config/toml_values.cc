#include "broker/config/toml_values.h"

#include <fmt/format.h>

#include <optional>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "policy/quantity.h"

namespace tidewaiter::config {

using std::chrono::milliseconds;

void ReadPath(TomlTable& table, std::string_view key, std::string& out) {
  const std::optional<std::string> path = table.String(key);
  if (!path) return;
  if (!IsNormalPath(*path) || *path == "/") {
    table.Problem(key, fmt::format("{} is no such path: an absolute path without '.', '..' or a "
                                   "slash at its end",
                                   Quoted(*path)));
    return;
  }
  out = *path;
}

void ReadCount(TomlTable& table, std::string_view key, std::uint32_t max, std::uint32_t& out) {
  if (const auto count = table.Int(key, 1, max)) out = static_cast<std::uint32_t>(*count);
}

void ReadDuration(TomlTable& table, std::string_view key, milliseconds min, milliseconds max,
                  milliseconds& out) {
  const std::optional<std::string> text = table.String(key);
  if (!text) return;
  const Result<milliseconds> duration = policy::ParseDuration(*text);
  if (duration && *duration >= min && *duration <= max) {
    out = *duration;
    return;
  }
  table.Problem(
      key, fmt::format("{} is no duration that fits: {} to {}, as \"30s\" or \"1h30m\"",
                       Quoted(*text), policy::FormatDuration(min), policy::FormatDuration(max)));
}

void ReadSize(TomlTable& table, std::string_view key, std::int64_t min, std::int64_t max,
              std::int64_t& out) {
  const std::optional<std::string> text = table.String(key);
  if (!text) return;
  const Result<std::int64_t> size = policy::ParseSize(*text);
  if (size && *size >= min && *size <= max) {
    out = *size;
    return;
  }
  table.Problem(key, fmt::format("{} is no size that fits: {} to {}", Quoted(*text),
                                 policy::FormatSize(min), policy::FormatSize(max)));
}

}  // namespace tidewaiter::config
