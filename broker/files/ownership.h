// Whose the files of a run are. They are its own user's, as the container sees them; the broker,
// who is not root, needs CAP_CHOWN for that and nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "extract/limits.h"
#include "policy/effective_run.h"

namespace tidewaiter::files {

// Whether this process may give files to anybody (CAP_CHOWN), or at least to `user`: itself.
bool MayGiveTo(const policy::UserId& user);

// What a tree is, as it lies there.
struct TreeContent {
  std::uint64_t entries = 0;  // files and folders in it
  std::uint64_t bytes = 0;    // of the files' content
};

// Gives the folder `name` in `parent`, and everything in it, to `user`. For a tree that nobody else
// reaches yet. Where it is the process's own user, it is only looked at. Errors: errno's;
// DEADLINE_EXCEEDED; INTERNAL where the tree is deeper or has more entries than `limits` let it,
// or something that no archive makes: whoever made it is not to be believed.
Result<TreeContent> GiveTree(int parent, const std::string& name, const policy::UserId& user,
                             const extract::Limits& limits, Deadline deadline);

}  // namespace tidewaiter::files
