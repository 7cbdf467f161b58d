// The job's bytes to stdout or stderr: unchanged, unbuffered, at the reader's pace, and never stuck
// on a reader that does not read once the wait is called off.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidewaiter::cli {

class OutputWriter {
 public:
  // Both borrowed. `abort_fd` becomes readable when waiting is to end.
  OutputWriter(int fd, int abort_fd);

  // Errors: CANCELLED where the wait was called off; UNAVAILABLE with the reason READER_GONE where
  // nobody reads any more (EPIPE); otherwise what errno says.
  Result<void> Write(std::string_view bytes);

 private:
  int fd_;
  int abort_fd_;
  // A regular file never makes a writer wait.
  bool may_block_ = true;
};

}  // namespace tidewaiter::cli
