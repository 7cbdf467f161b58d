// The names inside an image reference: registry and path segments, as distribution/reference's
// grammar has them. Pure; linear; shared by image references and by the policy file's patterns, so
// that both agree.
#pragma once

#include <cstddef>
#include <string_view>

namespace tidewaiter::policy {

// Registry, '/', and path together; older engines refuse longer ones.
inline constexpr std::size_t kMaxImageName = 255;

// HOST[:PORT] or [IPV6][:PORT] in lower case. The port is plain decimal, 1 to 65535.
bool IsRegistryName(std::string_view registry) noexcept;

// One segment: alphanumeric runs in lower case joined by '.', '_', '__' or any number of '-'.
bool IsPathSegment(std::string_view segment) noexcept;

// One or more segments joined by '/'.
bool IsRepositoryPath(std::string_view path) noexcept;

}  // namespace tidewaiter::policy
