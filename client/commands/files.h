// Whole files in and whole texts out, bounded and by file descriptor. Thread: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::cli {

// The content of a file, or of stdin where `path` is "-". RESOURCE_EXHAUSTED where it is longer
// than `max_bytes`; nothing more than that is read.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

// The same of `fd` (borrowed), for messages `what`.
Result<std::string> ReadAll(int fd, const std::string& what, std::size_t max_bytes);

// All of `bytes` to `fd` (borrowed), however slowly its reader takes them.
Result<void> WriteAll(int fd, std::string_view bytes);

// Puts `bytes` at `path`, whole or not at all, readable by nobody but its owner (0600). What was
// there is replaced; a link there is replaced itself.
Result<void> ReplaceFile(const std::string& path, std::string_view bytes);

// Waits until `fd` can be read, or has ended. False: `stop_fd` can be read first, or waiting fails.
bool AwaitReadable(int fd, int stop_fd);

}  // namespace tidewaiter::cli
