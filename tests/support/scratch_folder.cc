#include "tests/support/scratch_folder.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tidewaiter::testing {

ScratchFolder::ScratchFolder() {
  const char* base = std::getenv("TIDEWAITER_TEST_SCRATCH");
  path_ = std::string(base == nullptr ? "/run" : base) + "/tw-test-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror(("make '" + path_ + "'").c_str());
    std::abort();
  }
  // Other users may go through it to the socket, and list nothing.
  ::chmod(path_.c_str(), 0711);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tidewaiter::testing
