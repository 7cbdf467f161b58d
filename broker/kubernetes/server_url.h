// The address of an API server as a kubeconfig gives it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::kubernetes {

// "http[s]://HOST[:PORT][/PREFIX]" without slashes at its end. Errors: INVALID_ARGUMENT
// (KUBECONFIG_INVALID): anything else, among it users, queries, fragments and ".." segments.
Result<std::string> ReadServerUrl(std::string_view text);

// A host as it stands in a URL: an IPv6 address in brackets. Not checked.
std::string UrlHost(const std::string& host);

}  // namespace tidewaiter::kubernetes
