// Entries of a tar archive as bytes: ustar, and PAX where ustar cannot hold a name or a number
// (POSIX.1-2017 pax(1)). Pure, and one encoding for each entry: times are 0, owners have no names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidewaiter::extract {

struct TarOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct TarEntry {
  std::string_view path;  // as ToEntryPath gives it
  bool is_folder = false;
  std::uint32_t mode = 0;  // permission bits
  std::uint64_t size = 0;
  TarOwner owner;
};

// What stands before the entry's content: one block, or three and more where a PAX header (records
// `path`, `size`, `uid` and `gid`, each only where it is needed) has to come before it. `number`
// tells such headers apart by their own names.
std::string EncodeTarHeader(const TarEntry& entry, std::uint64_t number);

// Zero bytes that fill the last block of that much content.
std::size_t TarPadding(std::uint64_t size) noexcept;

}  // namespace tidewaiter::extract
