#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/printable.h"
#include "base/strong_id.h"

namespace tidewaiter {
namespace {

Error Failed(const char* verb, const std::string& name) {
  const int error = errno;
  return ErrnoError(error, std::string(verb) + " " + Quoted(name));
}

Error Distrusted(const std::string& name, const char* cause) {
  return Fail(ErrorCode::kFailedPrecondition, "open " + Quoted(name) + ": " + cause);
}

// Whether only this process or root can change what `status` describes.
const char* DistrustOf(const struct stat& status) {
  if (status.st_uid != ::geteuid() && status.st_uid != 0) return "owned by someone else";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "writable by others";
  return nullptr;
}

constexpr mode_t kOwn = S_IRUSR | S_IWUSR;

Result<void> WriteAll(int fd, const std::string& name, std::string_view content, mode_t mode) {
  if (mode != kOwn && ::fchmod(fd, mode) != 0) return Failed("set the mode of", name);
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("write", name);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return Failed("sync", name);
  return Ok();
}

Result<void> CreateFile(int folder, const std::string& name, std::string_view content,
                        mode_t mode = kOwn) {
  UniqueFd fd(
      ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kOwn));
  if (!fd) return Failed("create", name);
  Result<void> written = WriteAll(fd.get(), name, content, mode);
  if (!written) ::unlinkat(folder, name.c_str(), 0);
  return written;
}

}  // namespace

Result<UniqueFd> OpenOwnFolder(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return Failed("create folder", name);
  }
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return Failed("open folder", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Failed("examine folder", name);
  if (const char* cause = DistrustOf(status)) return Distrusted(name, cause);
  return fd;
}

Result<void> CreateDurably(int folder, const std::string& name, std::string_view content) {
  TW_TRY(CreateFile(folder, name, content));
  if (::fsync(folder) != 0) return Failed("sync folder of", name);
  return Ok();
}

Result<void> CreateAtomically(int folder, const std::string& name, std::string_view content) {
  const std::string fresh = name + "." + RandomId();
  TW_TRY(CreateFile(folder, fresh, content));
  // Unlike a rename, a link never replaces.
  const bool linked = ::linkat(folder, fresh.c_str(), folder, name.c_str(), 0) == 0;
  const int error = errno;
  ::unlinkat(folder, fresh.c_str(), 0);
  if (!linked) return ErrnoError(error, "create " + Quoted(name));
  if (::fsync(folder) != 0) return Failed("sync folder of", name);
  return Ok();
}

Result<void> ReplaceDurably(int folder, const std::string& name, std::string_view content,
                            mode_t mode) {
  const std::string fresh = name + ".new";
  // Of an attempt that a crash cut short.
  if (::unlinkat(folder, fresh.c_str(), 0) != 0 && errno != ENOENT) return Failed("remove", fresh);
  TW_TRY(CreateFile(folder, fresh, content, mode));
  if (::renameat(folder, fresh.c_str(), folder, name.c_str()) != 0) return Failed("replace", name);
  if (::fsync(folder) != 0) return Failed("sync folder of", name);
  return Ok();
}

Result<std::string> ReadOwnFile(int folder, const std::string& name, std::size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO that someone left here must not hang.
  UniqueFd fd(
      ::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd && (errno == ELOOP || errno == ENXIO)) return Distrusted(name, "not a regular file");
  if (!fd) return Failed("open", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Failed("examine", name);
  if (!S_ISREG(status.st_mode)) return Distrusted(name, "not a regular file");
  if (const char* cause = DistrustOf(status)) return Distrusted(name, cause);
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > max_bytes) {
    return Distrusted(name, "too large");
  }
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t n = ::read(fd.get(), content.data() + filled, content.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("read", name);
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  content.resize(filled);
  return content;
}

}  // namespace tidewaiter
