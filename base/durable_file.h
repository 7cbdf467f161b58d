// Small files of a folder of the broker's, written so that a crash leaves the old content or the
// new, never a mixture, and read so that nobody else's file is believed. Every name is relative to
// an open folder, so that no path is walked twice. Thread: any.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter {

// Opens the folder `name` in `parent` (borrowed; AT_FDCWD for a path), making it with mode 0700
// where it is missing. FAILED_PRECONDITION where it is a link, not owned by this process (or root)
// or writable by others; else errno's.
Result<UniqueFd> OpenOwnFolder(int parent, const std::string& name);

// Creates `name` (0600) with `content`; the file's bytes and its folder's entry are on disk when it
// returns. ALREADY_EXISTS where the name is taken; a file that could not be finished is removed. A
// crash meanwhile can leave it empty: the cheapest way, for a folder that says so itself.
Result<void> CreateDurably(int folder, const std::string& name, std::string_view content);

// The same, but whole or not there, whatever happens and whoever does the same at once: by way of a
// name of its own, which a crash can leave behind.
Result<void> CreateAtomically(int folder, const std::string& name, std::string_view content);

// Replaces `name` atomically and durably, by way of `name`.new. One caller at a time. The new file
// has exactly `mode`, whatever the umask.
Result<void> ReplaceDurably(int folder, const std::string& name, std::string_view content,
                            mode_t mode = S_IRUSR | S_IWUSR);

// The content of a regular file that only this process (or root) can write. NOT_FOUND where it is
// missing; FAILED_PRECONDITION where it is anything else, or longer than `max_bytes`; else errno's.
Result<std::string> ReadOwnFile(int folder, const std::string& name, std::size_t max_bytes);

}  // namespace tidewaiter
