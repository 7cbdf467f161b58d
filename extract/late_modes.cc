#include "extract/late_modes.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/open_beneath.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::extract {
namespace {

constexpr std::uint32_t kOwnerWrite = 0200;
constexpr std::uint32_t kMark = 01000;
// Of names in a folder, one for each folder on the way.
constexpr std::size_t kListBytes = 2048;

tl::unexpected<Refusal> Failure(std::string_view what, const char* name) {
  return Refuse(Code::kWrite, fmt::format("{}: {}", what, std::strerror(errno)), Printable(name));
}

bool MayBeFolder(const dirent64& entry) {
  const std::string_view name = entry.d_name;
  return (entry.d_type == DT_DIR || entry.d_type == DT_UNKNOWN) && name != "." && name != "..";
}

Expected<void> SettleFolder(int parent, const char* name);

Expected<void> SettleIn(int folder, const char* name) {
  alignas(dirent64) std::array<char, kListBytes> list;
  while (true) {
    const ssize_t size = ::getdents64(folder, list.data(), list.size());
    if (size < 0) return Failure("list a folder", name);
    if (size == 0) return {};
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto& entry = *reinterpret_cast<const dirent64*>(list.data() + at);
      at += entry.d_reclen;
      if (!MayBeFolder(entry)) continue;
      if (auto settled = SettleFolder(folder, entry.d_name); !settled) return settled;
    }
  }
}

// What is in it first: its owner may need to be let in.
Expected<void> SettleFolder(int parent, const char* name) {
  const UniqueFd folder = OpenBeneath(parent, name, O_RDONLY | O_DIRECTORY);
  if (!folder && errno == ENOTDIR) return {};  // where the file system does not tell folders
  if (!folder) return Failure("open a folder", name);
  if (auto settled = SettleIn(folder.get(), name); !settled) return settled;
  struct stat status {};
  // The call itself: the C library's asks by a name, which the worker's sandbox does not let it.
  if (::syscall(SYS_fstat, folder.get(), &status) != 0) return Failure("look at a folder", name);
  if ((status.st_mode & kMark) == 0) return {};
  constexpr std::uint32_t kModes = 07777;
  const std::uint32_t mode = status.st_mode & kModes & ~(kMark | kOwnerWrite);
  return ::fchmod(folder.get(), mode) == 0 ? Expected<void>() : Failure("protect a folder", name);
}

}  // namespace

std::uint32_t ModeWhileFilled(std::uint32_t mode) noexcept {
  return (mode & kOwnerWrite) != 0 ? mode : mode | kOwnerWrite | kMark;
}

Expected<void> SettleModes(int directory) {
  // Of its own: who gave `directory` may want to list it from where he was.
  const UniqueFd listed = OpenBeneath(directory, ".", O_RDONLY | O_DIRECTORY);
  return listed ? SettleIn(listed.get(), ".") : Failure("open a folder", ".");
}

}  // namespace tidewaiter::extract
