// Opens in a tree that somebody hostile has written: whatever stands there, nothing outside of it
// is opened and nothing blocks.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"

namespace tidewaiter {

// openat2(2) of `path` below the open folder `folder`, without symbolic links, magic links or mount
// points on the way or at its end (RESOLVE_BENEATH and its kin), with O_CLOEXEC, O_NOFOLLOW and
// O_NOCTTY; without O_PATH also O_NONBLOCK, so that neither a FIFO nor a device nor a lease holds
// it up. Where it fails errno says why: ELOOP a symbolic link, EXDEV another file system, EAGAIN a
// file that somebody has a lease on.
UniqueFd OpenBeneath(int folder, const char* path, std::uint64_t flags, std::uint64_t mode = 0);

}  // namespace tidewaiter
