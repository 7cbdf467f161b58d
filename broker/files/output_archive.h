// The folder of an input or an output as a plain tar on its way out. On the run's thread.
#pragma once

#include <string>

#include "broker/run/run_files.h"
#include "extract/limits.h"

namespace tidewaiter::files {

// Packs the folder `name` in `outputs`, to which nobody writes any more, in pieces of at most
// 256 KiB. Errors: OUTPUT_FAILED; those of `write` and `patience`.
Result<run::OutputSummary> SendOutput(int outputs, const std::string& name,
                                      const extract::Limits& limits,
                                      const run::ArchiveWriter& write,
                                      const run::Patience& patience);

// Packs the folder `name` in `inputs`, all of it. Errors: INPUT_FAILED; those of `write` and
// `patience`.
Result<void> SendInput(int inputs, const std::string& name, const run::ArchiveWriter& write,
                       const run::Patience& patience);

}  // namespace tidewaiter::files
