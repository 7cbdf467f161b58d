// Files and folders that another user has made and closed to everybody, taken over by a process
// that may change owners (CAP_CHOWN) but not read what it likes (CAP_DAC_OVERRIDE). For trees of
// their own alone: whoever has another name for a file there finds it taken over, too.
#pragma once

#include <sys/types.h>

namespace tidewaiter {

// Gives the folder or regular file `name` in the open folder `folder` at least the permission bits
// `least`. One of another user becomes this process's own first where `of_others` says so, and else
// is left alone. It follows no link and touches nothing of another kind or on another file system.
// False: errno says why not.
bool Reclaim(int folder, const char* name, mode_t least, bool of_others);

// The same for what is open already, also with O_PATH.
bool ReclaimOpen(int fd, mode_t least, bool of_others);

}  // namespace tidewaiter
