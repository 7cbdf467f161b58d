#include "broker/forward/forwarded_record.h"

#include <algorithm>
#include <array>

namespace tidewaiter::forward {

Severity SeverityOf(std::string_view type) noexcept {
  // Someone has to look after these.
  constexpr std::array<std::string_view, 4> kWarnings{"audit.gap", "audit.truncated",
                                                      "journal.set_aside", "teardown.overdue"};
  constexpr std::array<std::string_view, 2> kNotices{"policy.refused", "run.denied"};
  if (std::find(kWarnings.begin(), kWarnings.end(), type) != kWarnings.end()) {
    return Severity::kWarning;
  }
  if (std::find(kNotices.begin(), kNotices.end(), type) != kNotices.end()) {
    return Severity::kNotice;
  }
  return Severity::kInformational;
}

}  // namespace tidewaiter::forward
