// Feeds a sink with the regular files and folders of a tree, which somebody hostile may have
// written, and may still be changing: no link is followed, no other file system entered, and
// nothing that could block is opened. What is left behind is told.
#pragma once

#include <functional>
#include <string>

#include "extract/extraction.h"
#include "extract/limits.h"
#include "extract/refusal.h"
#include "extract/sink.h"

namespace tidewaiter::extract {

// What is not packed. Of a folder also everything in it.
struct Omission {
  std::string path;  // below the folder that is packed, safe to print; "." for that one itself
  Code code = Code::kUnreadable;
  std::string message;  // what is wrong, safe to print
};

struct PackOptions {
  // max_bytes: a file that does not fit into what is left of it is omitted, and later ones may
  // still fit. max_entries: what is omitted counts too, so that neither time nor memory grows with
  // the tree beyond it; a folder with more is packed in part, and told as too-many-entries.
  Limits limits;
  // Where it is empty, the first omission is the refusal.
  std::function<void(const Omission&)> on_omission;
  // Files and folders of other users that are closed to this process are taken over
  // (base/reclaim.h). Needs CAP_CHOWN.
  bool reclaim = false;
  // Asked between pieces: true ends it with a refusal, worker-failed. May be empty.
  std::function<bool()> stopped;
};

// Packs what is in the open folder `folder` (borrowed), not itself: folders before what is in them,
// names of one folder sorted by their bytes. A file gives as many bytes as it had when it was
// opened. It holds max_depth + 4 descriptors and the names that are still to come. Refusals:
// truncated (a file that became shorter under way), unreadable (`folder` itself, or a file amid
// it), and the sink's.
Expected<Summary> PackFolder(int folder, const PackOptions& options, Sink& sink);

}  // namespace tidewaiter::extract
