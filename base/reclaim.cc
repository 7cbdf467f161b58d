#include "base/reclaim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/open_beneath.h"

namespace tidewaiter {
namespace {

// Without setuid, setgid and sticky: they are nobody's who takes this over, and systemd's
// RestrictSUIDSGID= refuses to set them even where they were.
constexpr mode_t kPermissions = 0777;

}  // namespace

bool Reclaim(int folder, const char* name, mode_t least, bool of_others) {
  const UniqueFd fd = OpenBeneath(folder, name, O_PATH);
  return fd && ReclaimOpen(fd.get(), least, of_others);
}

bool ReclaimOpen(int fd, mode_t least, bool of_others) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  const bool own = status.st_uid == ::geteuid();
  if ((!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) || (!own && !of_others)) {
    errno = EACCES;
    return false;
  }
  if (!own && ::fchownat(fd, "", ::geteuid(), ::getegid(), AT_EMPTY_PATH) != 0) return false;
  if ((status.st_mode & least) == least) return true;
  // fchmod(2) takes no O_PATH. The magic link leads to this very file, under whatever name.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::chmod(path.c_str(), (status.st_mode & kPermissions) | least) == 0;
}

}  // namespace tidewaiter
