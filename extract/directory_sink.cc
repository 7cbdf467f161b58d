#include "extract/directory_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/open_beneath.h"
#include "base/printable.h"
#include "extract/late_modes.h"

namespace tidewaiter::extract {
namespace {

tl::unexpected<Refusal> WriteFailure(std::string_view what, const std::string& path) {
  return Refuse(Code::kWrite, fmt::format("{}: {}", what, std::strerror(errno)), Printable(path));
}

}  // namespace

Expected<DirectorySink::Place> DirectorySink::PlaceOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return Place{directory_, path};
  const std::string_view parent(path.data(), slash);
  if (!parent_fd_ || parent_ != parent) {
    std::string name(parent);
    UniqueFd fd = OpenBeneath(directory_, name.c_str(), O_PATH | O_DIRECTORY);
    if (!fd) return WriteFailure("open a folder", name);
    parent_fd_ = std::move(fd);
    parent_ = std::move(name);
  }
  return Place{parent_fd_.get(), path.substr(slash + 1)};
}

Expected<void> DirectorySink::AddFolder(const std::string& path, std::uint32_t mode) {
  auto place = PlaceOf(path);
  if (!place) return tl::unexpected(place.error());
  // mkdirat(2) follows no link at the name itself, and the folder was opened beneath.
  if (::mkdirat(place->folder, place->name.c_str(), ModeWhileFilled(mode)) != 0) {
    return WriteFailure("make a folder", path);
  }
  late_ = late_ || IsLate(mode);
  return {};
}

Expected<void> DirectorySink::SetFolderMode(const std::string& path, std::uint32_t mode) {
  const UniqueFd folder = OpenBeneath(directory_, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!folder || ::fchmod(folder.get(), ModeWhileFilled(mode)) != 0) {
    return WriteFailure("set the mode of a folder", path);
  }
  late_ = late_ || IsLate(mode);
  return {};
}

Expected<void> DirectorySink::BeginFile(const std::string& path, std::uint32_t mode,
                                        std::uint64_t /*size*/) {
  auto place = PlaceOf(path);
  if (!place) return tl::unexpected(place.error());
  file_ = OpenBeneath(place->folder, place->name.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode);
  if (!file_) return WriteFailure("make a file", path);
  file_path_ = path;
  return {};
}

Expected<void> DirectorySink::Write(std::string_view piece) {
  while (!piece.empty()) {
    const ssize_t written = ::write(file_.get(), piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteFailure("write a file", file_path_);
    piece.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Expected<void> DirectorySink::EndFile() {
  // Some file systems (NFS, quotas) tell only here that there was no space. The number is gone
  // whatever it says.
  if (::close(file_.Release()) != 0 && errno != EINTR) {
    return WriteFailure("close a file", file_path_);
  }
  return {};
}

Expected<void> DirectorySink::Finish() {
  return late_ ? SettleModes(directory_) : Expected<void>();
}

}  // namespace tidewaiter::extract
