// The nine limits as one table: names, units, built-in values, and what an engine can enforce. The
// policy file, the evaluation and the tightening check walk it, so that no limit can be forgotten
// in one of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/effective_run.h"
#include "policy/run_spec.h"

namespace tidewaiter::policy {

enum class LimitUnit { kBytes, kCpuMillis, kCount, kMillis };

struct LimitInfo {
  std::string_view key;         // in the policy file: [limits.KEY]
  std::string_view json_field;  // in RunSpec's JSON: limits.FIELD
  LimitUnit unit;
  std::int64_t built_in_default;
  std::int64_t built_in_max;
  std::int64_t smallest;  // below it an engine refuses, or rounds to nothing, which means unlimited
  std::int64_t largest;   // what a policy file may give as maximum at most
  std::optional<std::int64_t> RequestedLimits::*requested;
};

inline constexpr std::size_t kLimitCount = 9;
// Indices.
inline constexpr std::size_t kPidsLimit = 2;
inline constexpr std::size_t kTmpfsLimit = 4;
inline constexpr std::size_t kOpenFilesLimit = 6;
inline constexpr std::size_t kInputLimit = 7;
extern const std::array<LimitInfo, kLimitCount> kLimits;

// What a policy says of one limit, in LimitInfo::unit. smallest <= default_value <= max.
struct LimitRule {
  std::int64_t default_value = 0;
  std::int64_t max = 0;
  friend bool operator==(const LimitRule&, const LimitRule&) = default;
};
using LimitRules = std::array<LimitRule, kLimitCount>;

std::int64_t GetLimit(const Limits& limits, std::size_t index) noexcept;
void SetLimit(Limits& limits, std::size_t index, std::int64_t value) noexcept;

// In the unit's own form: "2GiB", "0.5", "512", "15m".
std::string FormatLimit(LimitUnit unit, std::int64_t value);
Result<std::int64_t> ParseLimit(LimitUnit unit, std::string_view text);

}  // namespace tidewaiter::policy
