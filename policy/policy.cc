#include "policy/policy.h"

namespace tidewaiter::policy {

Rules Rules::BuiltIn() {
  Rules rules;
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    rules.limits[i] = {kLimits[i].built_in_default, kLimits[i].built_in_max};
  }
  return rules;
}

std::string_view ToString(NetworkMode mode) noexcept {
  switch (mode) {
    case NetworkMode::kNone: return "none";
    case NetworkMode::kIsolated: return "isolated";
    case NetworkMode::kBridge: return "bridge";
  }
  return "unknown";
}

}  // namespace tidewaiter::policy
