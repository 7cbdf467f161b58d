// Folders whose owner may not write to them, which can only be so when everything in them is there.
// Until then they are writable and marked on the disk: nothing is kept in memory for each, however
// many an archive has and however long their names are.
#pragma once

#include <cstdint>

#include "extract/refusal.h"

namespace tidewaiter::extract {

// The mode of a folder while it is being filled. `mode` is clean (modes.h), so that the mark, the
// sticky bit, is in no other folder.
std::uint32_t ModeWhileFilled(std::uint32_t mode) noexcept;

// Whether that is not yet its own.
inline bool IsLate(std::uint32_t mode) noexcept {
  return ModeWhileFilled(mode) != mode;
}

// Gives each folder below `directory` that is marked its own mode. Has one descriptor open for each
// folder on the way. Refusal: write-failed.
Expected<void> SettleModes(int directory);

}  // namespace tidewaiter::extract
