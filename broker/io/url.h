// Parts of URLs (RFC 3986). Pure.
#pragma once

#include <string>
#include <string_view>

namespace tidewaiter::io {

// Percent-encodes everything but RFC 3986's unreserved characters (and '/' where `keep_slash`).
std::string UrlEncode(std::string_view text, bool keep_slash = false);

}  // namespace tidewaiter::io
