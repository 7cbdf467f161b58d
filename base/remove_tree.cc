#include "base/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "base/open_beneath.h"
#include "base/printable.h"
#include "base/reclaim.h"
#include "base/unique_fd.h"

namespace tidewaiter {
namespace {

// Folders that are open at a time.
constexpr std::size_t kMostOpen = 24;
// Folders that wait at the top: a disk may be too full for more names there, and some file systems
// count subfolders.
constexpr std::size_t kMostMoved = 1000;

struct Folder {
  std::unique_ptr<DIR, int (*)(DIR*)> entries;
  std::string name;  // in the folder above

  [[nodiscard]] int fd() const { return ::dirfd(entries.get()); }
};

bool IsFolder(int parent, const char* name) {
  struct stat status {};
  return ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

class Removal {
 public:
  Removal(int parent, const RemoveOptions& options) : parent_(parent), options_(options) {}

  Result<void> Remove(const std::string& name) {
    TW_TRY(RemoveEntry(parent_, name));
    while (!open_.empty()) {
      if (options_.deadline.Passed()) {
        return Fail(ErrorCode::kDeadlineExceeded,
                    "remove " + Quoted(name) + ": not all of it is gone in the time given");
      }
      errno = 0;
      const dirent* const entry = ::readdir(open_.back().entries.get());
      if (entry == nullptr && errno != 0) {
        return ErrnoError(errno, "list the folder " + Quoted(open_.back().name));
      }
      if (entry == nullptr) {
        TW_TRY(Leave());
        continue;
      }
      const std::string found = entry->d_name;
      if (found == "." || found == "..") continue;
      TW_TRY(RemoveEntry(open_.back().fd(), found));
    }
    return Ok();
  }

 private:
  // Where it is a folder, that is entered or moved.
  Result<void> RemoveEntry(int here, const std::string& name) {
    if (::unlinkat(here, name.c_str(), 0) == 0 || errno == ENOENT) return Ok();
    const int error = errno;
    if (error != EISDIR && !(error == EPERM && IsFolder(here, name.c_str()))) {
      return ErrnoError(error, "remove " + Quoted(name));
    }
    // An empty one goes without being opened.
    if (::unlinkat(here, name.c_str(), AT_REMOVEDIR) == 0) return Ok();
    return open_.size() < kMostOpen ? Enter(here, name) : MoveUp(here, name);
  }

  // Readable and writable for this process, whatever its owner wanted.
  Result<UniqueFd> Open(int here, const std::string& name) const {
    constexpr mode_t kAll = 0700;
    UniqueFd fd = OpenBeneath(here, name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd && errno == EACCES && Reclaim(here, name.c_str(), kAll, options_.reclaim)) {
      fd = OpenBeneath(here, name.c_str(), O_RDONLY | O_DIRECTORY);
    }
    if (!fd && errno == EXDEV) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "remove the folder " + Quoted(name) + ": another file system is mounted there");
    }
    if (!fd) return ErrnoError(errno, "open the folder " + Quoted(name));
    // Where this fails, the removal of what is in it says so.
    static_cast<void>(ReclaimOpen(fd.get(), kAll, options_.reclaim));
    return fd;
  }

  Result<void> Enter(int here, const std::string& name) {
    TW_ASSIGN(UniqueFd fd, Open(here, name));
    DIR* const entries = ::fdopendir(fd.get());
    if (entries == nullptr) return ErrnoError(errno, "list the folder " + Quoted(name));
    static_cast<void>(fd.Release());
    open_.push_back(Folder{{entries, ::closedir}, name});
    return Ok();
  }

  // To the top of the tree, under a name of our own.
  Result<void> MoveUp(int here, const std::string& name) {
    // The kernel asks for the right to write a folder that gets another parent.
    TW_ASSIGN(const UniqueFd folder, Open(here, name));
    do {
      const std::string moved = "moved-" + std::to_string(next_name_++);
      if (::renameat2(here, name.c_str(), open_.front().fd(), moved.c_str(), RENAME_NOREPLACE) ==
          0) {
        if (++moved_ >= kMostMoved) StartAgain();
        return Ok();
      }
    } while (errno == EEXIST);
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EMLINK;
    if (!full || moved_ == 0) return ErrnoError(errno, "move up the folder " + Quoted(name));
    StartAgain();
    return Ok();
  }

  // At the top, where what was moved waits.
  void StartAgain() {
    while (open_.size() > 1) open_.pop_back();
    ::rewinddir(open_.front().entries.get());
    moved_ = 0;
  }

  Result<void> Leave() {
    if (open_.size() == 1 && moved_ > 0) {
      StartAgain();
      return Ok();
    }
    const std::string gone = open_.back().name;
    open_.pop_back();
    const int above = open_.empty() ? parent_ : open_.back().fd();
    if (::unlinkat(above, gone.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      return ErrnoError(errno, "remove the folder " + Quoted(gone));
    }
    return Ok();
  }

  const int parent_;
  const RemoveOptions options_;
  std::vector<Folder> open_;
  std::uint64_t next_name_ = 0;
  std::size_t moved_ = 0;  // since the top was last read from its start
};

}  // namespace

Result<void> RemoveTree(int parent, const std::string& name, const RemoveOptions& options) {
  return Removal(parent, options).Remove(name);
}

}  // namespace tidewaiter
