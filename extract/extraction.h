// The one loop: reads an archive, checks what concerns several entries, and feeds a sink.
#pragma once

#include <cstdint>
#include <functional>

#include "extract/entry_source.h"
#include "extract/limits.h"
#include "extract/refusal.h"
#include "extract/sink.h"

namespace tidewaiter::extract {

struct Summary {
  std::uint64_t entries = 0;  // files and folders that the archive lists, the destination not
  std::uint64_t bytes = 0;    // of the files' content
};

// Reads the archive from `source` to its end. What a sink has been told of an archive that is
// refused in the end is for the caller to remove. `on_progress` (may be empty) is called now and
// then.
Expected<Summary> Extract(EntrySource& source, const Limits& limits, Sink& sink,
                          const std::function<void(const Summary&)>& on_progress = {});

}  // namespace tidewaiter::extract
