// The body of a PAX extended header (POSIX.1-2017 pax(1), "pax Header Block"): "LENGTH KEY=VALUE\n"
// records, read strictly. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "extract/refusal.h"

namespace tidewaiter::extract {

inline constexpr std::size_t kMaxPaxBytes = std::size_t{64} << 10U;

// What of them says where and how much. Times and ids have to be numbers and are ignored,
// as are names of owners, comments and extended attributes: none of them is restored.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::uint64_t> size;
  bool link_path = false;
};

// Refusals: ambiguous (malformed, a key twice, a number that is none, a character set of its own),
// sparse, nul.
Expected<PaxRecords> ParsePaxRecords(std::string_view body);

}  // namespace tidewaiter::extract
