// Base64 of RFC 4648 section 4, with padding. Thread: any.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::audit {

std::string ToBase64(std::string_view bytes);

inline constexpr std::size_t kMaxBase64Bytes = std::size_t{1} << 20U;

// Nothing for what is not the one text that ToBase64 makes of some bytes (no white space, no
// missing padding, no bits beyond the last byte), or is longer than kMaxBase64Bytes.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace tidewaiter::audit
