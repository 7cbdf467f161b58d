// Removes what an extraction has left. Follows no link and leaves no mounted file system alone: it
// fails there.
#pragma once

#include <string>

#include "base/result.h"

namespace tidewaiter::extract {

// The folder `name` in the open folder `parent`, with everything in it, folders that their owner
// may not write included. Absent: success. Its memory grows with the depth alone.
Result<void> RemoveTree(int parent, const std::string& name);

}  // namespace tidewaiter::extract
