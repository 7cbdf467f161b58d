// Which permission bits an entry gets, whatever the archive says and whatever the umask: no setuid,
// setgid or sticky bit; no write for group and others; the owner can read, and enter a folder.
#pragma once

#include <cstdint>

namespace tidewaiter::extract {

constexpr std::uint32_t FileMode(std::uint32_t mode) noexcept {
  return (mode & 0755U) | 0400U;
}
constexpr std::uint32_t FolderMode(std::uint32_t mode) noexcept {
  return (mode & 0755U) | 0500U;
}
// Of a folder that the archive does not list.
inline constexpr std::uint32_t kImpliedFolderMode = 0755;

}  // namespace tidewaiter::extract
