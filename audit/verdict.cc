#include "audit/verdict.h"

namespace tidewaiter::audit {

std::string_view ToString(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::kChanged: return "changed";
    case FaultKind::kMissing: return "missing";
    case FaultKind::kInserted: return "inserted";
    case FaultKind::kReordered: return "reordered";
    case FaultKind::kTruncated: return "truncated";
    case FaultKind::kCheckpoint: return "checkpoint";
    case FaultKind::kForked: return "forked";
  }
  return "unknown";
}

}  // namespace tidewaiter::audit
