// Base64 (RFC 4648) for credentials. Pure; strict where it decodes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::docker {

std::string EncodeBase64(std::string_view bytes);     // '+' '/', padded: HTTP Basic
std::string EncodeBase64Url(std::string_view bytes);  // '-' '_', padded: X-Registry-Auth

// The standard alphabet with or without padding; nothing where `text` is anything else, or longer
// than 64 KiB.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tidewaiter::docker
