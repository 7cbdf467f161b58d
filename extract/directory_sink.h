// Writes files and folders below one open directory. Every name is resolved by openat2(2) with
// RESOLVE_BENEATH, without symbolic links, magic links or mount points, and every file is new
// (O_EXCL): whatever somebody else does in that directory meanwhile, nothing outside of it is
// touched. One thread.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "extract/sink.h"

namespace tidewaiter::extract {

class DirectorySink final : public Sink {
 public:
  // `directory` is borrowed: an open directory, best an empty one. The process's umask must be 0.
  // At the end one descriptor is open for each folder of the deepest path.
  explicit DirectorySink(int directory) : directory_(directory) {}

  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override;
  Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) override;
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t size) override;
  Expected<void> Write(std::string_view piece) override;
  Expected<void> EndFile() override;
  Expected<void> Finish() override;

 private:
  // The folder in which `path` lies, open, and the name in it. The one of the last call is kept:
  // most archives come folder by folder.
  struct Place {
    int folder;
    std::string name;
  };
  Expected<Place> PlaceOf(const std::string& path);

  const int directory_;
  std::string parent_;  // whose descriptor is parent_fd_; empty: the directory itself
  UniqueFd parent_fd_;
  UniqueFd file_;
  std::string file_path_;
  bool late_ = false;  // whether a folder waits for its mode (late_modes.h)
};

}  // namespace tidewaiter::extract
