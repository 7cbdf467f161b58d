// Linux capability names (capabilities(7)), in the one form used inside: upper case, without
// "CAP_".
#pragma once

#include <optional>
#include <string_view>

namespace tidewaiter::policy {

// "cap_net_raw", "NET_RAW" -> "NET_RAW"; nothing where Linux has no such capability ("ALL" is
// none). The text is static.
std::optional<std::string_view> NormaliseCapability(std::string_view name) noexcept;

}  // namespace tidewaiter::policy
