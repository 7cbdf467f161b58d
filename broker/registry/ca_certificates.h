// Certificates of CAs as an operator gives them, in PEM. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::registry {

// How many certificates the text holds: those that libcurl will trust. Errors: INVALID_ARGUMENT
// (CA_FILE) where there is none, or one that is none; half a file must not look like a whole one.
Result<std::size_t> CountCaCertificates(std::string_view pem);

}  // namespace tidewaiter::registry
