#include "base/trusted_path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter {
namespace {

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

Error Untrusted(std::string_view path, std::string_view cause) {
  return Fail(ErrorCode::kPermissionDenied,
              fmt::format("trust {}: {}", Quoted(path, PATH_MAX), cause), "UNTRUSTED_PATH");
}

Result<void> CheckOwnerAndMode(const struct stat& status, std::string_view path, uid_t own) {
  if (status.st_uid != 0 && status.st_uid != own) {
    return Untrusted(path,
                     fmt::format("it is owned by uid {}, not by root or uid {}, so its owner could "
                                 "replace what is behind it",
                                 status.st_uid, own));
  }
  if ((status.st_mode & kWritableByOthers) != 0) {
    return Untrusted(path, fmt::format("its mode {:04o} lets others write to it",
                                       static_cast<unsigned>(status.st_mode & 07777U)));
  }
  return Ok();
}

Result<void> CheckFolderOnTheWay(const struct stat& status, std::string_view path, uid_t own) {
  if (S_ISLNK(status.st_mode)) return Untrusted(path, "it is a symbolic link");
  if (!S_ISDIR(status.st_mode)) return Untrusted(path, "it is not a folder");
  return CheckOwnerAndMode(status, path, own);
}

Result<void> CheckObject(const struct stat& status, std::string_view path, TrustedObject object,
                         uid_t own) {
  if (S_ISLNK(status.st_mode)) return Untrusted(path, "it is a symbolic link");
  switch (object) {
    case TrustedObject::kAny:
      if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return Ok();
      return Untrusted(path, "it is neither a regular file nor a folder");
    case TrustedObject::kOwnFile:
      if (!S_ISREG(status.st_mode)) return Untrusted(path, "it is not a regular file");
      return CheckOwnerAndMode(status, path, own);
    case TrustedObject::kOwnFolder: return CheckFolderOnTheWay(status, path, own);
  }
  return Untrusted(path, "it cannot be classified");
}

Result<void> CheckFromRoot(const std::string& path, TrustedObject object, uid_t own) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return ErrnoError(errno, "open '/'");
  return CheckTrustedBelow(root.get(), path, object, own);
}

}  // namespace

bool IsNormalPath(std::string_view path) noexcept {
  if (path.empty() || path.front() != '/' || path.size() >= PATH_MAX) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  if (path.size() == 1) return true;
  std::string_view rest = path.substr(1);
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

Result<void> CheckTrustedBelow(int root_fd, const std::string& path, TrustedObject object,
                               uid_t own) {
  if (!IsNormalPath(path)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("trust {}: it is not an absolute path without '.', '..' or empty "
                            "segments",
                            Quoted(path)));
  }
  struct stat status {};
  if (::fstat(root_fd, &status) != 0) return ErrnoError(errno, "stat '/'");
  if (path == "/") return CheckObject(status, path, object, own);
  TW_TRY(CheckFolderOnTheWay(status, "/", own));

  UniqueFd folder;
  int at = root_fd;
  std::size_t begin = 1;
  while (true) {
    const std::size_t slash = path.find('/', begin);
    const std::string segment = path.substr(begin, slash - begin);
    const std::string_view so_far = std::string_view(path).substr(0, slash);
    // O_PATH with O_NOFOLLOW opens a symbolic link itself, so that it can be told apart.
    UniqueFd next(::openat(at, segment.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next || ::fstat(next.get(), &status) != 0) {
      return ErrnoError(errno, fmt::format("trust {}", Quoted(so_far, PATH_MAX)));
    }
    if (slash == std::string::npos) return CheckObject(status, so_far, object, own);
    TW_TRY(CheckFolderOnTheWay(status, so_far, own));
    folder = std::move(next);
    at = folder.get();
    begin = slash + 1;
  }
}

Result<void> CheckTrustedPath(const std::string& path, uid_t own) {
  return CheckFromRoot(path, TrustedObject::kAny, own);
}

Result<void> CheckTrustedFile(const std::string& path, uid_t own) {
  return CheckFromRoot(path, TrustedObject::kOwnFile, own);
}

Result<void> CheckTrustedFolder(const std::string& path, uid_t own) {
  return CheckFromRoot(path, TrustedObject::kOwnFolder, own);
}

}  // namespace tidewaiter
