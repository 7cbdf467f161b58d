#include "extract/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

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
  staging.folder_ = UniqueFd(
      ::openat(staging.destination_.get(), kName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
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
  TW_ASSIGN(const Listing listing, List(folder_.get(), what));
  while (true) {
    const std::string name(NextName(listing));
    if (name.empty()) break;
    if (::renameat2(folder_.get(), name.c_str(), destination_.get(), name.c_str(),
                    RENAME_NOREPLACE) != 0) {
      return ErrnoError(errno, what);
    }
  }
  if (::unlinkat(destination_.get(), kName, AT_REMOVEDIR) != 0) return ErrnoError(errno, what);
  folder_.Reset();
  made_ = false;
  return Ok();
}

}  // namespace tidewaiter::extract
