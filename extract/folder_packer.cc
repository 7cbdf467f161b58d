#include "extract/folder_packer.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/open_beneath.h"
#include "base/printable.h"
#include "base/reclaim.h"
#include "extract/entry_path.h"
#include "extract/modes.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;
constexpr mode_t kReadFile = 0400;
constexpr mode_t kReadFolder = 0500;

struct Folder {
  UniqueFd fd;
  std::string path;                // with a slash at its end; empty for the one that is packed
  std::vector<std::string> names;  // those still to come, the next one last
};

struct Fault {
  Code code;
  std::string message;
};

// What is neither a file nor a folder.
std::optional<Fault> ForbiddenKind(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR: return std::nullopt;
    case S_IFLNK: return Fault{Code::kSymbolicLink, "a symbolic link"};
    case S_IFIFO: return Fault{Code::kFifo, "a FIFO"};
    case S_IFSOCK: return Fault{Code::kSocket, "a socket"};
    case S_IFCHR:
    case S_IFBLK: return Fault{Code::kDevice, "a device"};
    default: return Fault{Code::kUnknownType, "neither a file nor a folder"};
  }
}

Fault FaultOfErrno(std::string_view what, int error) {
  if (error == ELOOP) return {Code::kSymbolicLink, "a symbolic link"};
  if (error == EXDEV) return {Code::kOtherFileSystem, "another file system is mounted there"};
  return {Code::kUnreadable, fmt::format("{}: {}", what, std::strerror(error))};
}

class Packing {
 public:
  Packing(const PackOptions& options, Sink& sink) : options_(options), sink_(sink) {}

  Expected<Summary> Run(int folder) {
    // A descriptor of its own: what the caller has read from its own does not matter.
    auto fd = OpenFolder(folder, ".");
    if (!fd && options_.reclaim && ReclaimOpen(folder, kReadFolder, true)) {
      fd = OpenFolder(folder, ".");
    }
    if (!fd) return Refuse(fd.error().code, fd.error().message);
    if (auto entered = Enter(*std::move(fd), ""); !entered) return Cut(entered);
    while (!open_.empty()) {
      if (Stopped()) return Refuse(Code::kWorker, "the packing was stopped");
      if (open_.back().names.empty()) {
        open_.pop_back();
        continue;
      }
      const std::string name = std::move(open_.back().names.back());
      open_.back().names.pop_back();
      if (auto added = Add(name); !added) return Cut(added);
    }
    if (auto finished = sink_.Finish(); !finished) return Cut(finished);
    return summary_;
  }

 private:
  static tl::unexpected<Refusal> Cut(const Expected<void>& refused) {
    return tl::unexpected(refused.error());
  }

  [[nodiscard]] bool Stopped() const { return options_.stopped && options_.stopped(); }

  Expected<void> Omit(const std::string& path, const Fault& fault) {
    const std::string shown = Printable(path);
    if (!options_.on_omission) return Refuse(fault.code, fault.message, shown);
    options_.on_omission({.path = shown, .code = fault.code, .message = fault.message});
    return {};
  }

  // `name` in the folder that is open last.
  Expected<void> Add(const std::string& name) {
    const Folder& here = open_.back();
    const int parent = here.fd.get();
    const std::string path = here.path + name;
    if (const auto sound = ToEntryPath(path, false, options_.limits); !sound) {
      return Omit(path, {sound.error().code, sound.error().message});
    }
    // First a look: to open a device is to use it.
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return Omit(path, FaultOfErrno("look at it", errno));
    }
    if (const auto fault = ForbiddenKind(status.st_mode)) return Omit(path, *fault);
    return S_ISDIR(status.st_mode) ? AddFolder(parent, name, path) : AddFile(parent, name, path);
  }

  // `flags` besides those of reading.
  [[nodiscard]] UniqueFd Open(int parent, const std::string& name, std::uint64_t flags,
                              mode_t least) const {
    UniqueFd fd = OpenBeneath(parent, name.c_str(), O_RDONLY | flags);
    if (!fd && errno == EACCES && options_.reclaim && Reclaim(parent, name.c_str(), least, true)) {
      fd = OpenBeneath(parent, name.c_str(), O_RDONLY | flags);
    }
    return fd;
  }

  [[nodiscard]] tl::expected<UniqueFd, Fault> OpenFolder(int parent,
                                                         const std::string& name) const {
    UniqueFd fd = Open(parent, name, O_DIRECTORY, kReadFolder);
    if (!fd) return tl::unexpected(FaultOfErrno("open the folder", errno));
    // To list a folder is one right, to reach what is in it another.
    const bool reachable = ::faccessat(fd.get(), ".", X_OK, AT_EACCESS) == 0 ||
                           (options_.reclaim && ReclaimOpen(fd.get(), kReadFolder, true));
    if (!reachable) return tl::unexpected(FaultOfErrno("enter the folder", errno));
    return fd;
  }

  Expected<void> AddFolder(int parent, const std::string& name, const std::string& path) {
    auto fd = OpenFolder(parent, name);
    if (!fd) return Omit(path, fd.error());
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return Omit(path, FaultOfErrno("look at it", errno));
    ++summary_.entries;
    if (auto added = sink_.AddFolder(path, FolderMode(status.st_mode)); !added) return added;
    return Enter(*std::move(fd), path + '/');
  }

  Expected<void> Enter(UniqueFd fd, const std::string& path) {
    Folder folder{.fd = std::move(fd), .path = path, .names = {}};
    const std::string shown = path.empty() ? "." : path.substr(0, path.size() - 1);
    UniqueFd copy(::fcntl(folder.fd.get(), F_DUPFD_CLOEXEC, 0));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(copy.get()), ::closedir);
    if (!entries) return Omit(shown, FaultOfErrno("list the folder", errno));
    static_cast<void>(copy.Release());
    bool all = false;
    while (!Stopped()) {
      errno = 0;
      const dirent* const entry = ::readdir(entries.get());
      if (entry == nullptr && errno != 0) {
        if (auto told = Omit(shown, FaultOfErrno("list the folder", errno)); !told) return told;
      }
      all = entry == nullptr;
      if (all) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (met_ == options_.limits.max_entries) break;
      ++met_;
      folder.names.emplace_back(name);
    }
    std::sort(folder.names.rbegin(), folder.names.rend());
    open_.push_back(std::move(folder));
    if (all || Stopped()) return {};  // Run ends the packing where it is stopped
    return Omit(shown, {Code::kTooManyEntries, fmt::format("more than {} files and folders",
                                                           options_.limits.max_entries)});
  }

  Expected<void> AddFile(int parent, const std::string& name, const std::string& path) {
    const UniqueFd fd = Open(parent, name, 0, kReadFile);
    if (!fd) return Omit(path, FaultOfErrno("open it", errno));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return Omit(path, FaultOfErrno("look at it", errno));
    // Something else may have come there since it was looked at.
    if (const auto fault = ForbiddenKind(status.st_mode)) return Omit(path, *fault);
    if (S_ISDIR(status.st_mode)) return Omit(path, {Code::kIsAFolder, "a folder by now"});
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > options_.limits.max_bytes - summary_.bytes) {
      return Omit(path, {Code::kTooManyBytes,
                         fmt::format("more than {} bytes of content", options_.limits.max_bytes)});
    }
    // Before its header is written: what cannot be read at all can still be left out.
    auto piece = Read(fd.get(), size);
    if (!piece) return Omit(path, piece.error());
    ++summary_.entries;
    summary_.bytes += size;
    if (auto begun = sink_.BeginFile(path, FileMode(status.st_mode), size); !begun) return begun;
    for (std::uint64_t left = size; left > 0;) {
      if (!piece) return Refuse(piece.error().code, piece.error().message, Printable(path));
      if (piece->empty()) {
        return Refuse(Code::kTruncated, "it became shorter while it was read", Printable(path));
      }
      if (auto written = sink_.Write(*piece); !written) return written;
      left -= piece->size();
      if (Stopped()) return Refuse(Code::kWorker, "the packing was stopped", Printable(path));
      piece = Read(fd.get(), left);
    }
    return sink_.EndFile();
  }

  // At most `left` bytes, valid until the next call; empty at the file's end.
  tl::expected<std::string_view, Fault> Read(int fd, std::uint64_t left) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
    if (most == 0) return std::string_view();
    ssize_t got = 0;
    do {
      got = ::read(fd, buffer_.data(), most);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return tl::unexpected(FaultOfErrno("read it", errno));
    return std::string_view(buffer_.data(), static_cast<std::size_t>(got));
  }

  const PackOptions& options_;
  Sink& sink_;
  std::vector<Folder> open_;  // from the one that is packed down to where the walk is
  std::string buffer_ = std::string(kReadBytes, '\0');
  std::uint64_t met_ = 0;  // names, those omitted included
  Summary summary_;
};

}  // namespace

Expected<Summary> PackFolder(int folder, const PackOptions& options, Sink& sink) {
  return Packing(options, sink).Run(folder);
}

}  // namespace tidewaiter::extract
