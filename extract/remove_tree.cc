#include "extract/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::extract {
namespace {

struct Folder {
  std::unique_ptr<DIR, int (*)(DIR*)> entries;
  std::string name;  // in the folder above
};

// Readable and writable for its owner, whatever the archive wanted.
Result<Folder> Open(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "open the folder " + Quoted(name));
  ::fchmod(fd.get(), 0700);
  DIR* const entries = ::fdopendir(fd.get());
  if (entries == nullptr) return ErrnoError(errno, "list the folder " + Quoted(name));
  static_cast<void>(fd.Release());
  return Folder{{entries, ::closedir}, name};
}

}  // namespace

Result<void> RemoveTree(int parent, const std::string& name) {
  std::vector<Folder> open;
  if (auto first = Open(parent, name)) {
    open.push_back(*std::move(first));
  } else {
    if (first.error().code == ErrorCode::kNotFound) return Ok();
    return first.error();
  }
  while (!open.empty()) {
    const int here = ::dirfd(open.back().entries.get());
    const dirent* const entry = ::readdir(open.back().entries.get());
    if (entry == nullptr) {
      const std::string gone = open.back().name;
      open.pop_back();
      const int above = open.empty() ? parent : ::dirfd(open.back().entries.get());
      if (::unlinkat(above, gone.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return ErrnoError(errno, "remove the folder " + Quoted(gone));
      }
      continue;
    }
    const std::string_view found = entry->d_name;
    if (found == "." || found == "..") continue;
    if (::unlinkat(here, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) {
      return ErrnoError(errno, "remove " + Quoted(found));
    }
    TW_ASSIGN(Folder below, Open(here, std::string(found)));
    open.push_back(std::move(below));
  }
  return Ok();
}

}  // namespace tidewaiter::extract
