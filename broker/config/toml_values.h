// Values of tidewaiter.toml that more than one of its tables has. Each is read into `out`, which
// keeps what it has where the key is not given; what is wrong is noted as the table's problem.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/toml_document.h"

namespace tidewaiter::config {

// An absolute path in its normal form, other than "/".
void ReadPath(TomlTable& table, std::string_view key, std::string& out);
// 1 to `max`.
void ReadCount(TomlTable& table, std::string_view key, std::uint32_t max, std::uint32_t& out);
// "30s" or "1h30m" (policy/quantity.h).
void ReadDuration(TomlTable& table, std::string_view key, std::chrono::milliseconds min,
                  std::chrono::milliseconds max, std::chrono::milliseconds& out);
// "16MiB" (policy/quantity.h), in bytes.
void ReadSize(TomlTable& table, std::string_view key, std::int64_t min, std::int64_t max,
              std::int64_t& out);

}  // namespace tidewaiter::config
