#include "policy/backends.h"

#include <algorithm>
#include <string>

#include "base/printable.h"

namespace tidewaiter::policy {

bool IsBackend(std::string_view name) noexcept {
  return std::find(kBackends.begin(), kBackends.end(), name) != kBackends.end();
}

Violation UnknownBackend(std::string_view asked, const std::vector<std::string_view>& known) {
  std::string names;
  for (const std::string_view name : known) {
    names += (names.empty() ? "one of: " : ", ") + std::string(name);
  }
  return {.rule = std::string(kRuleUnknownBackend),
          .field = "backend",
          .message = "backend " + Quoted(asked) + " is not configured",
          .remedy = names.empty() ? "no backend is configured" : names};
}

}  // namespace tidewaiter::policy
