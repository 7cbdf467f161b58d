// Paths by whole segments, and the places that no run may reach whatever the policy file says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::policy {

// Whether `path` is `area` or below it. Both absolute and normal; "/srv/data-x" is not below
// "/srv/data".
inline bool IsAtOrBelow(std::string_view path, std::string_view area) noexcept {
  if (area == "/") return true;
  return path.starts_with(area) && (path.size() == area.size() || path[area.size()] == '/');
}

// Whether `path`, which is not "/", is one of the sorted `areas`, none of them "/", or below one.
bool IsAtOrBelowAny(std::string_view path, const std::vector<std::string>& areas) noexcept;

// Whether one of two such paths is at or below the other.
inline bool Overlap(std::string_view a, std::string_view b) noexcept {
  return a.size() < b.size() ? IsAtOrBelow(b, a) : IsAtOrBelow(a, b);
}

// The forbidden place that `source` is, is inside, or holds; nothing where there is none. A folder
// that holds one (such as /var) would bring it along.
std::optional<std::string_view> ForbiddenSource(std::string_view source) noexcept;

// The forbidden place that `target` is or is inside. "/" itself is forbidden, what is below it is
// not.
std::optional<std::string_view> ForbiddenTarget(std::string_view target) noexcept;

}  // namespace tidewaiter::policy
