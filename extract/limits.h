// How much of an archive is taken. What is beyond a limit is refused by its own code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidewaiter::extract {

struct Limits {
  std::uint64_t max_bytes = std::uint64_t{1} << 30U;  // of all files' content together
  std::uint64_t max_entries = 100'000;                // files and folders, listed or not
  std::size_t max_depth = 64;                         // components of a path
  std::size_t max_path = 1024;                        // bytes of a path
  // Bytes that came out for each that went in, once kFreeBytes are out: below that every small
  // archive of zeros would be a bomb.
  std::uint64_t max_ratio = 1000;
  static constexpr std::uint64_t kFreeBytes = std::uint64_t{16} << 20U;
};

}  // namespace tidewaiter::extract
