#include "tests/support/project_file.h"

namespace tidewaiter::testing {

std::string ProjectFile(const std::string& path) {
  return std::string(TIDEWAITER_SOURCE_DIR) + "/" + path;
}

}  // namespace tidewaiter::testing
