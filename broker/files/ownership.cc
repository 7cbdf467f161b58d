#include "broker/files/ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::files {
namespace {

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

// The folder is still the process's own.
Result<Listing> Open(int parent, const char* name) {
  UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DIR* const entries = fd ? ::fdopendir(fd.get()) : nullptr;
  if (entries == nullptr) return ErrnoError(errno, "open the folder " + Quoted(name));
  static_cast<void>(fd.Release());
  return Listing(entries, ::closedir);
}

enum class Kind { kFile, kFolder, kOther };

Kind KindOf(int parent, const char* name, std::uint64_t& bytes) {
  struct stat status {};
  if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Kind::kOther;
  bytes = static_cast<std::uint64_t>(status.st_size);
  if (S_ISDIR(status.st_mode)) return Kind::kFolder;
  // A second name could be that of a file elsewhere.
  return S_ISREG(status.st_mode) && status.st_nlink == 1 ? Kind::kFile : Kind::kOther;
}

Error NotOfAnArchive(const std::string& name, const char* what) {
  return Fail(ErrorCode::kInternal, "give " + Quoted(name) + " to the run's user: " + what);
}

}  // namespace

bool MayGiveTo(const policy::UserId& user) {
  if (user.uid == ::geteuid() && user.gid == ::getegid()) return true;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  return (sets[0].effective & (1U << CAP_CHOWN)) != 0;
}

Result<TreeContent> GiveTree(int parent, const std::string& name, const policy::UserId& user,
                             const extract::Limits& limits, Deadline deadline) {
  const bool own = user.uid == ::geteuid() && user.gid == ::getegid();
  const auto give = [&](int folder, const char* what) -> Result<void> {
    if (own || ::fchownat(folder, what, user.uid, user.gid, AT_SYMLINK_NOFOLLOW) == 0) return Ok();
    return ErrnoError(errno, "give " + Quoted(what) + " to the run's user");
  };
  struct Folder {
    Listing entries;
    std::string name;
  };
  std::vector<Folder> open;
  TreeContent content;
  TW_ASSIGN(Listing top, Open(parent, name.c_str()));
  open.push_back({std::move(top), name});
  while (!open.empty()) {
    if (deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded, "give " + Quoted(name) + ": it took too long");
    }
    const int here = ::dirfd(open.back().entries.get());
    errno = 0;
    const dirent* const entry = ::readdir(open.back().entries.get());
    if (entry == nullptr && errno != 0) return ErrnoError(errno, "list " + Quoted(name));
    if (entry == nullptr) {  // given away last, since it could not be read afterwards
      const std::string done = std::move(open.back().name);
      open.pop_back();
      TW_TRY(give(open.empty() ? parent : ::dirfd(open.back().entries.get()), done.c_str()));
      continue;
    }
    const std::string_view found = entry->d_name;
    if (found == "." || found == "..") continue;
    if (++content.entries > limits.max_entries)
      return NotOfAnArchive(name, "too many files and folders");
    std::uint64_t bytes = 0;
    switch (KindOf(here, entry->d_name, bytes)) {
      case Kind::kFile:
        content.bytes += bytes;
        TW_TRY(give(here, entry->d_name));
        break;
      case Kind::kFolder: {
        if (open.size() > limits.max_depth) return NotOfAnArchive(name, "folders too deep");
        TW_ASSIGN(Listing below, Open(here, entry->d_name));
        open.push_back({std::move(below), std::string(found)});
        break;
      }
      case Kind::kOther: return NotOfAnArchive(name, "neither a file nor a folder is in it");
    }
  }
  return content;
}

}  // namespace tidewaiter::files
