// The archives of a detached run's outputs on disk: archives/NAME.tar in its directory. Thread:
// any; calls of one archive one at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "broker/run/backend.h"
#include "broker/run/run_files.h"

namespace tidewaiter::files {

// Makes NAME.tar in `folder` (borrowed for the call), in place of one that is there.
// `check_room`: asked before each piece. Errors: OUTPUT_FAILED.
Result<std::unique_ptr<run::ArchiveKeeper>> MakeKeptArchive(
    int folder, const std::string& name, std::function<Result<void>()> check_room);

// The whole of archives/NAME.tar in the directory `run`, in pieces of at most 256 KiB. It is opened
// first: what is removed meanwhile is still sent. Errors: NOT_FOUND, errno's, those of `write` and
// `patience`.
Result<void> SendKeptArchive(int run, const std::string& name, const run::ArchiveWriter& write,
                             const run::Patience& patience);

}  // namespace tidewaiter::files
