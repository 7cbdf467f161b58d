#include "extract/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/remove_tree.h"

namespace tidewaiter::extract {
namespace {

// A fixed name: what a killed extraction has left makes the destination one that is not empty.
constexpr char kName[] = ".tidewaiter-extract";

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

Result<Listing> List(int folder, const std::string& what) {
  UniqueFd fd(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const entries = fd ? ::fdopendir(fd.get()) : nullptr;
  if (entries == nullptr) return ErrnoError(errno, what);
  static_cast<void>(fd.Release());
  return Listing(entries, ::closedir);
}

// The next name that is neither "." nor ".."; empty at the end.
std::string_view NextName(const Listing& listing) {
  while (const dirent* const entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return name;
  }
  return {};
}

// A folder that was just made, which the umask may have closed to its owner.
UniqueFd OpenForOwner(int parent, const char* name) {
  const UniqueFd folder(::openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!folder || ::fstat(folder.get(), &status) != 0) return {};
  // fchmod(2) takes no O_PATH descriptor, and the name may be somebody else's link by now.
  const std::string itself = "/proc/self/fd/" + std::to_string(folder.get());
  if ((status.st_mode & S_IRWXU) != S_IRWXU && ::chmod(itself.c_str(), S_IRWXU) != 0) return {};
  return UniqueFd(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Replaces nothing. A folder that its owner may not write could only be moved by root, since its
// ".." changes (rename(2), EACCES): it is made so for the moment. False with errno where it failed.
bool Move(int from, int to, const std::string& name) {
  const auto move = [&] {
    return ::renameat2(from, name.c_str(), to, name.c_str(), RENAME_NOREPLACE) == 0;
  };
  if (move()) return true;
  if (errno != EACCES) return false;
  const UniqueFd folder(
      ::openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!folder || ::fstat(folder.get(), &status) != 0) return false;
  const mode_t mode = status.st_mode & 07777U;
  if (::fchmod(folder.get(), mode | S_IWUSR) != 0) return false;
  const bool moved = move();
  const int error = errno;
  ::fchmod(folder.get(), mode);
  errno = error;
  return moved;
}

}  // namespace

Result<Staging> Staging::Open(const std::string& destination) {
  const std::string what = "extract to " + Quoted(destination);
  const bool made = ::mkdir(destination.c_str(), 0777) == 0;
  if (!made && errno != EEXIST) return ErrnoError(errno, what);
  UniqueFd folder(::open(destination.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, what);
  Staging staging(destination, std::move(folder), made);
  TW_ASSIGN(const Listing listing, List(staging.destination_.get(), what));
  if (!NextName(listing).empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                what + ": it is not empty, and nothing in it would be replaced",
                "DESTINATION_NOT_EMPTY");
  }
  if (::mkdirat(staging.destination_.get(), kName, 0700) != 0) return ErrnoError(errno, what);
  staging.folder_ = OpenForOwner(staging.destination_.get(), kName);
  if (!staging.folder_) {
    const Error error = ErrnoError(errno, what);
    ::unlinkat(staging.destination_.get(), kName, AT_REMOVEDIR);
    return error;
  }
  return staging;
}

Staging::~Staging() {
  if (!destination_) return;
  if (folder_) static_cast<void>(RemoveTree(destination_.get(), kName));
  if (made_) ::rmdir(path_.c_str());  // where it is empty
}

Result<void> Staging::Commit() {
  const std::string what = "move what was extracted to " + Quoted(path_);
  std::vector<std::string> moved;
  // The destructor removes what is in the folder then; what somebody else put there stays.
  const auto undo = [&](const Error& error) {
    for (const std::string& name : moved) {
      static_cast<void>(Move(destination_.get(), folder_.get(), name));
    }
    return error;
  };
  TW_ASSIGN(const Listing listing, List(folder_.get(), what));
  while (true) {
    std::string name(NextName(listing));
    if (name.empty()) break;
    if (!Move(folder_.get(), destination_.get(), name)) return undo(ErrnoError(errno, what));
    moved.push_back(std::move(name));
  }
  if (::unlinkat(destination_.get(), kName, AT_REMOVEDIR) != 0) {
    return undo(ErrnoError(errno, what));
  }
  folder_.Reset();
  made_ = false;
  return Ok();
}

}  // namespace tidewaiter::extract
