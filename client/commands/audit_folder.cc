#include "client/commands/audit_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "audit/public_keys.h"
#include "audit/segment_name.h"
#include "base/printable.h"
#include "client/commands/files.h"

namespace tidewaiter::cli {
namespace {

// The first line: the file of a folder has the newest key there.
std::string_view FirstLine(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<UniqueFd> OpenAuditFolder(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, "open the log's folder " + Quoted(path));
  return folder;
}

Result<std::string> ReadFolderFile(const std::string& folder, const std::string& name,
                                   std::size_t max_bytes) {
  const std::string what = "read " + Quoted(folder + "/" + name);
  // O_NONBLOCK: opening a FIFO must not hang.
  const UniqueFd fd(::open((folder + "/" + name).c_str(),
                           O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd) return ErrnoError(errno, what);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, what);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kFailedPrecondition, what + ": not a regular file");
  }
  return ReadAll(fd.get(), what, max_bytes);
}

Result<AuditKey> FindAuditKey(const std::string& given, const std::string& folder) {
  // A key is a key, also where there is a file of that name: a copy could bring one along.
  auto parsed = audit::VerifierKey::Parse(given);
  if (parsed) return AuditKey{.key = *std::move(parsed)};
  const auto text =
      given.empty() ? ReadFolderFile(folder, audit::kPublicKeyName, audit::kMaxPublicKeyFileBytes)
                    : ReadFile(given, audit::kMaxPublicKeyFileBytes);
  if (!text && given.find('+') != std::string::npos) return parsed.error();
  if (!text) return text.error().Within("find the log's public key");
  TW_ASSIGN(audit::VerifierKey key, audit::VerifierKey::Parse(FirstLine(*text)));
  return AuditKey{.key = std::move(key), .from_folder = given.empty()};
}

}  // namespace tidewaiter::cli
