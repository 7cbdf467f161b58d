// What a policy allows, as a remedy names it: enough of it to help, not the whole of a long list,
// which one run could have repeated for each of its faults.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace tidewaiter::policy {

// "a, b, c", or "a, b and 7 more" once that is some 400 bytes.
inline std::string ListSome(const std::vector<std::string>& names) {
  constexpr std::size_t kEnough = 400;
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (list.size() > kEnough) return list + fmt::format(" and {} more", names.size() - i);
    if (!list.empty()) list += ", ";
    list += names[i];
  }
  return list;
}

}  // namespace tidewaiter::policy
