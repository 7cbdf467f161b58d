// Any bytes as a name in an archive. What becomes a path leads below the destination, and is its
// own path.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "extract/entry_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::extract;
  if (size == 0) return 0;
  const bool is_folder = (data[0] & 1U) != 0;
  const std::string name(data + 1, data + size);
  const Limits limits;
  const auto path = ToEntryPath(name, is_folder, limits);
  if (!path) return 0;
  if (path->size() > limits.max_path || path->find('\0') != std::string::npos) std::abort();
  if (path->empty()) {
    if (!is_folder) std::abort();
    return 0;
  }
  const std::string framed = '/' + *path + '/';
  for (const char* never : {"//", "/./", "/../"}) {
    if (framed.find(never) != std::string::npos) std::abort();
  }
  const auto again = ToEntryPath(*path, is_folder, limits);
  if (!again || *again != *path) std::abort();
  return 0;
}
