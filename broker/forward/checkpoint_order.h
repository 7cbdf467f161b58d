// Whether one checkpoint may take another's place outside the host. Where the log was cut off
// while no broker ran, the next one's checkpoint must not wipe out what shows it. Pure.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidewaiter::forward {

// Succeeds where `kept` is no checkpoint, or of the same log when it was not longer than `note`
// says, as far as these two alone can tell: that the longer log begins with the shorter one is for
// `tidewaiter audit verify`. Errors: FAILED_PRECONDITION (LOG_CUT).
Result<void> MayReplace(std::string_view kept, std::string_view note);

}  // namespace tidewaiter::forward
