#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "policy/checks.h"
#include "policy/plain_name.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxLabelName = 128;
constexpr std::size_t kMaxLabelValue = 4096;
// Of all names and values together. An engine repeats them, escaped, wherever it tells of the
// container: in its list, in each event, when it is inspected. Control characters would be six
// bytes each there; of the rest none more than doubles (quotes, backslashes, line feeds and tabs;
// U+2028 becomes six bytes of three). With the default limits at most 1,024 containers exist at a
// time, strays apart (max_runs + max_queued, and as many whose removal is overdue): at 32 KiB each
// their labels are 32 MiB of the list, half of the longest answer that is read at once. A command
// takes more; the list is read in pages (broker/docker/engine_api).
constexpr std::size_t kMaxLabelBytes = std::size_t{16} << 10U;
constexpr std::size_t kMaxTenantField = 128;
constexpr std::size_t kMaxIdempotencyKey = 128;
constexpr std::string_view kReserved = "io.tidewaiter";

// In whatever case: some tools fold label names, and none may take a caller's label for the
// broker's.
bool IsReserved(std::string_view name) noexcept {
  if (name.size() < kReserved.size()) return false;
  for (std::size_t i = 0; i < kReserved.size(); ++i) {
    const char c =
        name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
    if (c != kReserved[i]) return false;
  }
  return name.size() == kReserved.size() || name[kReserved.size()] == '.';
}

// A line break and a tab are ordinary in values: descriptions of several lines, as in compose files
// and in OCI's annotations.
bool IsLabelValue(std::string_view value) {
  if (value.size() > kMaxLabelValue || !IsUtf8(value)) return false;
  const auto is_plain = [](char c) { return c == '\t' || c == '\n' || !HasControl({&c, 1}); };
  return std::all_of(value.begin(), value.end(), is_plain);
}

std::string LabelField(std::string_view name) {
  return fmt::format("labels[{}]", Quoted(name));
}

}  // namespace

void CheckLabels(Check& check) {
  const auto& labels = check.spec.labels;
  if (labels.size() > kMaxLabels) {
    check.Deny(rule::kLabelTooLarge, "labels", fmt::format("{} labels", labels.size()),
               fmt::format("at most {}", kMaxLabels));
    return;
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : labels) bytes += name.size() + value.size();
  if (bytes > kMaxLabelBytes) {
    check.Deny(rule::kLabelTooLarge, "labels",
               fmt::format("names and values of {} bytes in all", bytes),
               fmt::format("at most {} bytes", kMaxLabelBytes));
    return;
  }
  for (const auto& [name, value] : labels) {
    if (IsReserved(name)) {
      check.Deny(rule::kLabelReserved, LabelField(name),
                 fmt::format("label {} is the broker's", Quoted(name)),
                 "a name outside of 'io.tidewaiter.'");
    }
    if (name.empty() || name.size() > kMaxLabelName || !IsUtf8(name) || HasControl(name)) {
      check.Deny(rule::kLabelName, LabelField(name),
                 fmt::format("label name {} is not valid", Quoted(name)),
                 fmt::format("1 to {} bytes of UTF-8 without control characters", kMaxLabelName));
    }
    if (!IsLabelValue(value)) {
      check.Deny(rule::kLabelValue, LabelField(name),
                 fmt::format("the value of label {} is not valid", Quoted(name)),
                 fmt::format("at most {} bytes of UTF-8 without control characters besides tab and "
                             "line feed",
                             kMaxLabelValue));
    }
  }
  check.run.labels = labels;
}

void CheckTenant(Check& check) {
  const Tenant& tenant = check.spec.tenant;
  const std::array<std::pair<std::string_view, const std::string*>, 3> fields{
      {{"challenge", &tenant.challenge}, {"job", &tenant.job}, {"task", &tenant.task}}};
  for (const auto& [name, value] : fields) {
    if (value->size() <= kMaxTenantField && IsUtf8(*value) && !HasControl(*value)) continue;
    check.Deny(
        rule::kTenant, fmt::format("tenant.{}", name),
        fmt::format("{} {} is not valid", name, Quoted(*value)),
        fmt::format("at most {} bytes of UTF-8 without control characters", kMaxTenantField));
  }
  check.run.tenant = tenant;
}

void CheckBackend(Check& check) {
  const std::string& backend = check.spec.backend;
  check.run.backend = backend.empty() ? check.rules.backend : backend;
  if (backend.empty() || IsPlainName(backend)) return;
  check.Deny(rule::kBackend, "backend", fmt::format("backend {} is not a name", Quoted(backend)),
             "the name of a configured backend, as in 'docker'");
}

void CheckIdempotencyKey(Check& check) {
  const std::string& key = check.spec.idempotency_key;
  check.run.idempotency_key = key;
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (key.size() <= kMaxIdempotencyKey && printable) return;
  check.Deny(rule::kIdempotencyKey, "idempotencyKey",
             fmt::format("idempotency key {} is not valid", Quoted(key)),
             fmt::format("at most {} printable ASCII characters", kMaxIdempotencyKey));
}

}  // namespace tidewaiter::policy
