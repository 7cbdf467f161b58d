#include <fmt/format.h>

#include "policy/checks.h"
#include "policy/rules.h"

namespace tidewaiter::policy {

bool AdmitsLimit(const Check& check, std::size_t limit, std::int64_t value) noexcept {
  return value > 0 && value >= kLimits[limit].smallest && value <= check.rules.limits[limit].max;
}

void DenyLimit(Check& check, std::size_t limit, std::int64_t value, std::string field) {
  const LimitInfo& info = kLimits[limit];
  const std::int64_t max = check.rules.limits[limit].max;
  std::string_view broken = rule::kLimitTooLarge;
  std::string message;
  if (value <= 0) {
    broken = rule::kLimitNotPositive;
    message = fmt::format("{} is zero, negative or not an exact number; zero never means unlimited",
                          field);
  } else if (value < info.smallest) {
    broken = rule::kLimitTooSmall;
    message = fmt::format("{} {} is less than an engine can enforce", field,
                          FormatLimit(info.unit, value));
  } else {
    message =
        fmt::format("{} {} is above the policy's maximum", field, FormatLimit(info.unit, value));
  }
  check.Deny(broken, std::move(field), std::move(message),
             fmt::format("from {} to {}", FormatLimit(info.unit, info.smallest),
                         FormatLimit(info.unit, max)));
}

void CheckLimits(Check& check) {
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    const std::optional<std::int64_t>& requested = check.spec.limits.*kLimits[i].requested;
    if (requested && !AdmitsLimit(check, i, *requested)) {
      DenyLimit(check, i, *requested, fmt::format("limits.{}", kLimits[i].json_field));
    }
    SetLimit(check.run.limits, i, requested.value_or(check.rules.limits[i].default_value));
  }
  check.run.default_pids = check.rules.limits[kPidsLimit].default_value;
  check.run.default_open_files = check.rules.limits[kOpenFilesLimit].default_value;
  check.run.default_input_bytes = check.rules.limits[kInputLimit].default_value;
}

}  // namespace tidewaiter::policy
