// What libcurl's codes mean to a caller: the one place that knows them.
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "base/error.h"

namespace tidewaiter::io {

// The error of a request that ended with `code` (not CURLE_OK). `sent`: its first byte may have
// been sent, so it may have taken effect. `detail`: libcurl's own words, which may quote the other
// side.
Error HttpError(CURLcode code, bool sent, std::string_view detail);

// The same for CURLE_COULDNT_CONNECT, of which libcurl's words say less than errno. `unix_socket`
// is a path, or empty.
Error ConnectError(long errno_value, std::string_view unix_socket);

}  // namespace tidewaiter::io
