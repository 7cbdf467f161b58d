// Removes a tree that somebody hostile may have written: as deep, as wide and as closed as they
// like. It follows no link and crosses no mount: it fails there.
#pragma once

#include <string>

#include "base/deadline.h"
#include "base/result.h"

namespace tidewaiter {

struct RemoveOptions {
  Deadline deadline = Deadline::Never();
  // Folders of other users are taken over (base/reclaim.h). Needs CAP_CHOWN.
  bool reclaim = false;
};

// What is called `name` in the open folder `parent`: a folder with everything in it, folders that
// their owner may not write included. Absent: success. It holds some 30 descriptors and 2 MiB,
// however deep or wide the tree is: what lies deeper is moved up to the top of the tree first.
// DEADLINE_EXCEEDED: not all of it is gone, and another call goes on. Other errors name what could
// not be removed.
Result<void> RemoveTree(int parent, const std::string& name, const RemoveOptions& options = {});

}  // namespace tidewaiter
