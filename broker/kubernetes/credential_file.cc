#include "broker/kubernetes/credential_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::kubernetes {
namespace {

Result<void> CheckMode(mode_t mode, FileKind kind, const std::string& what) {
  if (!S_ISREG(mode)) return Fail(ErrorCode::kInvalidArgument, what + ": no regular file");
  if (kind == FileKind::kSecret && (mode & (S_IWGRP | S_IRWXO)) != 0) {
    return Fail(ErrorCode::kPermissionDenied,
                what + ": others may read or change it; chmod 0600 or 0640");
  }
  if ((mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kPermissionDenied, what + ": others may change it; chmod 0644");
  }
  return Ok();
}

}  // namespace

Result<std::string> ReadCredentialFile(const std::string& path, FileKind kind,
                                       std::size_t max_bytes) {
  const std::string what = "read " + Quoted(path);
  // O_NONBLOCK: a FIFO in the file's place must not hold the caller.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return ErrnoError(errno, what);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return ErrnoError(errno, what);
  TW_TRY(CheckMode(status.st_mode, kind, what));
  std::string text(max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, what);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > max_bytes) {
    return Fail(ErrorCode::kResourceExhausted,
                what + ": more than " + std::to_string(max_bytes) + " bytes");
  }
  text.resize(size);
  text.shrink_to_fit();
  return text;
}

}  // namespace tidewaiter::kubernetes
