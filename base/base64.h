// Base64 (RFC 4648). Pure; strict where it decodes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter {

std::string EncodeBase64(std::string_view bytes);     // '+' '/', padded: HTTP Basic, signed notes
std::string EncodeBase64Url(std::string_view bytes);  // '-' '_', padded: X-Registry-Auth

// The standard alphabet with or without padding; nothing where `text` is anything else, or longer
// than 64 KiB.
std::optional<std::string> DecodeBase64(std::string_view text);

// The same, where the one text that EncodeBase64 makes of the bytes is asked for: padded.
std::optional<std::string> DecodePaddedBase64(std::string_view text);

}  // namespace tidewaiter
