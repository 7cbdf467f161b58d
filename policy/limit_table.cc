#include "policy/limit_table.h"

#include <fmt/format.h>

#include "policy/quantity.h"

namespace tidewaiter::policy {
namespace {

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;
constexpr std::int64_t kTiB = 1024 * kGiB;
constexpr std::int64_t kMinute = 60 * 1000;
constexpr std::int64_t kHour = 60 * kMinute;

}  // namespace

// Smallest values: the engine refuses memory below 6 MiB and CPUs below 0.01 (1 ms of the 100 ms
// period); pids 0 and tmpfs size 0 mean unlimited, and a tmpfs is counted in pages; runc needs some
// descriptors of its own before it executes the program. The rest the broker enforces itself.
const std::array<LimitInfo, kLimitCount> kLimits{{
    {"memory", "memoryBytes", LimitUnit::kBytes, 2 * kGiB, 8 * kGiB, 6 * kMiB, 64 * kTiB,
     &RequestedLimits::memory_bytes},
    {"cpus", "cpus", LimitUnit::kCpuMillis, 1000, 4000, 10, 4096 * 1000,
     &RequestedLimits::cpu_millis},
    {"pids", "pids", LimitUnit::kCount, 256, 512, 1, 4194304, &RequestedLimits::pids},
    {"timeout", "timeout", LimitUnit::kMillis, 15 * kMinute, 24 * kHour, 1, 366 * 24 * kHour,
     &RequestedLimits::timeout_millis},
    {"tmpfs", "tmpfsBytes", LimitUnit::kBytes, 64 * kMiB, 512 * kMiB, 4 * kKiB, 64 * kTiB,
     &RequestedLimits::tmpfs_bytes},
    {"log", "logBytes", LimitUnit::kBytes, 16 * kMiB, kGiB, 1, 64 * kTiB,
     &RequestedLimits::log_bytes},
    {"open_files", "openFiles", LimitUnit::kCount, 1024, 65536, 16, 1048576,
     &RequestedLimits::open_files},
    {"input", "inputBytes", LimitUnit::kBytes, 256 * kMiB, 4 * kGiB, 1, 64 * kTiB,
     &RequestedLimits::input_bytes},
    {"output", "outputBytes", LimitUnit::kBytes, 256 * kMiB, 4 * kGiB, 1, 64 * kTiB,
     &RequestedLimits::output_bytes},
}};

std::int64_t GetLimit(const Limits& limits, std::size_t index) noexcept {
  switch (index) {
    case 0: return limits.memory_bytes;
    case 1: return limits.cpu_millis;
    case 2: return limits.pids;
    case 3: return limits.timeout.count();
    case 4: return limits.tmpfs_bytes;
    case 5: return limits.log_bytes;
    case 6: return limits.open_files;
    case 7: return limits.input_bytes;
    default: return limits.output_bytes;
  }
}

void SetLimit(Limits& limits, std::size_t index, std::int64_t value) noexcept {
  switch (index) {
    case 0: limits.memory_bytes = value; return;
    case 1: limits.cpu_millis = value; return;
    case 2: limits.pids = value; return;
    case 3: limits.timeout = std::chrono::milliseconds(value); return;
    case 4: limits.tmpfs_bytes = value; return;
    case 5: limits.log_bytes = value; return;
    case 6: limits.open_files = value; return;
    case 7: limits.input_bytes = value; return;
    default: limits.output_bytes = value; return;
  }
}

std::string FormatLimit(LimitUnit unit, std::int64_t value) {
  switch (unit) {
    case LimitUnit::kBytes: return FormatSize(value);
    case LimitUnit::kCpuMillis: return FormatCpuMillis(value);
    case LimitUnit::kMillis: return FormatDuration(std::chrono::milliseconds(value));
    case LimitUnit::kCount: break;
  }
  return fmt::format("{}", value);
}

Result<std::int64_t> ParseLimit(LimitUnit unit, std::string_view text) {
  switch (unit) {
    case LimitUnit::kBytes: return ParseSize(text);
    case LimitUnit::kCpuMillis: return ParseCpuMillis(text);
    case LimitUnit::kMillis: {
      TW_ASSIGN(const std::chrono::milliseconds duration, ParseDuration(text));
      return duration.count();
    }
    case LimitUnit::kCount: break;
  }
  return Fail(ErrorCode::kInvalidArgument, "parse count: a whole number, without quotes");
}

}  // namespace tidewaiter::policy
