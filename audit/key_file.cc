#include "audit/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/durable_file.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {
namespace {

Error Failed(const char* verb, const std::string& name) {
  const int error = errno;
  return ErrnoError(error, fmt::format("{} key {}", verb, Quoted(name)));
}

Error Distrusted(const std::string& name, std::string_view cause) {
  return Fail(ErrorCode::kFailedPrecondition, fmt::format("open key {}: {}", Quoted(name), cause),
              "UNTRUSTED_KEY");
}

Result<UniqueFd> OpenFolder(const std::string& directory) {
  UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, fmt::format("open key folder {}", Quoted(directory)));
  return folder;
}

// Whether only this process's user (and root) can have read or changed what `status` describes.
Result<void> CheckTrust(const std::string& name, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    return Distrusted(name, "it is not a regular file; move it away, or restore the key");
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return Distrusted(name, fmt::format("it belongs to uid {}, not to the broker (uid {}) or root; "
                                        "restore the broker's own",
                                        status.st_uid, ::geteuid()));
  }
  if (const unsigned mode = status.st_mode & 07777U; (mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Distrusted(name, fmt::format("its mode is {:04o}, so that others may have read it; "
                                        "chmod it to 0600 where you are sure that nobody has, "
                                        "else move it away",
                                        mode));
  }
  if (status.st_nlink != 1) {
    return Distrusted(name, "it has a second name, by which others may reach it; remove that");
  }
  if (status.st_size <= 0 || static_cast<std::size_t>(status.st_size) > kMaxKeyFileBytes) {
    return Distrusted(name, fmt::format("it has {} bytes, where a key has 1 to {}; restore it",
                                        status.st_size, kMaxKeyFileBytes));
  }
  return Ok();
}

Result<SecretText> Load(int folder, const std::string& name) {
  // O_NONBLOCK: to open a FIFO that someone left here must not hang.
  const UniqueFd fd(
      ::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd && (errno == ELOOP || errno == ENXIO)) {
    return Distrusted(name, "it is not a regular file; move it away, or restore the key");
  }
  if (!fd) return Failed("open", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Failed("examine", name);
  TW_TRY(CheckTrust(name, status));
  // Never grown, since that would leave a copy behind.
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Error error = Failed("read", name);
      Wipe(text);
      return error;
    }
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  text.resize(filled);
  return SecretText(std::move(text));
}

}  // namespace

Result<SecretText> LoadKeyFile(const std::string& directory, const std::string& name) {
  TW_ASSIGN(const UniqueFd folder, OpenFolder(directory));
  return Load(folder.get(), name);
}

Result<KeyFile> LoadOrCreateKeyFile(const std::string& directory, const std::string& name,
                                    const std::function<Result<std::string>()>& generate) {
  TW_ASSIGN(const UniqueFd folder, OpenFolder(directory));
  Result<SecretText> found = Load(folder.get(), name);
  if (found) return KeyFile{.text = *std::move(found), .made = false};
  if (found.error().code != ErrorCode::kNotFound) return found.error();
  TW_ASSIGN(std::string generated, generate());
  const SecretText fresh(std::move(generated));
  // Not CreateAtomically, which gives it a second name for a moment: a crash just then would leave
  // a key that is refused.
  TW_TRY(ReplaceDurably(folder.get(), name, fresh.view()));
  // What was read, not what was to be written: the next start will believe nothing else.
  TW_ASSIGN(SecretText text, Load(folder.get(), name));
  return KeyFile{.text = std::move(text), .made = true};
}

}  // namespace tidewaiter::audit
