// Whether a path can be swapped by a stranger between its check and its use.
//
// The engine and the kernel are given *names* (an opened folder handed over as /proc/PID/fd/N fails
// in runc), so a name is only safe where nobody but root and this process could make it mean
// something else: no symbolic link on the way, and every folder on the way owned by root or this
// process and writable by no one else. That is sshd's StrictModes. A sticky world-writable folder
// such as /tmp is refused too: others cannot rename what is not theirs there, but they can create a
// name before it is used.
//
// POSIX ACLs need no look of their own: an ACL that grants write access shows in the group bits
// (acl(5)). Thread: any. Never follows a link, never opens anything for reading.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter {

// In all of them, `own` is the user who is trusted besides root: the one as whom the broker runs.

// Succeeds where `path` (absolute, without "." or ".." or empty segments) is a regular file or
// folder with a trusted way to it. The object itself may belong to anyone. Errors name the first
// component that fails: INVALID_ARGUMENT (the text is no such path), NOT_FOUND, PERMISSION_DENIED
// (untrusted, with the reason, or not searchable).
Result<void> CheckTrustedPath(const std::string& path, uid_t own = ::geteuid());

// The same, and the object is a regular file (or a folder) that itself is owned by root or this
// process and writable by no one else: for configuration, policy and key files, and for state
// folders.
Result<void> CheckTrustedFile(const std::string& path, uid_t own = ::geteuid());
Result<void> CheckTrustedFolder(const std::string& path, uid_t own = ::geteuid());

// What is asked of the last component.
enum class TrustedObject { kAny, kOwnFile, kOwnFolder };

// The walk itself, from the folder `root_fd` (borrowed), which stands for "/" and is checked like
// the others.
Result<void> CheckTrustedBelow(int root_fd, const std::string& path, TrustedObject object,
                               uid_t own = ::geteuid());

// Whether `path` is absolute and free of empty, "." and ".." segments, trailing slashes, NUL bytes,
// and no longer than PATH_MAX. "/" is normal.
bool IsNormalPath(std::string_view path) noexcept;

}  // namespace tidewaiter
