// How a detached run has ended <-> the bytes of result.pb (KeptResult in run_entry.proto). Pure;
// reads hostile bytes. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/run/kept_run.h"

namespace tidewaiter::journal {

// Texts are made printable and cut; INVALID_ARGUMENT where it is too large all the same.
Result<std::string> FormatResult(const run::KeptRun& run);

// Fills in everything but `entry` and what is looked up. Errors: as ParseEntry.
Result<void> ParseResult(std::string_view bytes, run::KeptRun& run);

}  // namespace tidewaiter::journal
