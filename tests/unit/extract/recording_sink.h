// What the tests of the reader share: a sink that remembers, and an archive in memory as a file.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>

#include "base/unique_fd.h"
#include "extract/extraction.h"
#include "extract/sink.h"
#include "extract/tar_reader.h"

namespace tidewaiter::extract {

class RecordingSink final : public Sink {
 public:
  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override {
    folders[path] = mode;
    return {};
  }
  Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) override {
    folders[path] = mode;
    return {};
  }
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t /*size*/) override {
    file_ = path;
    files[path] = {};
    modes[path] = mode;
    return {};
  }
  Expected<void> Write(std::string_view piece) override {
    files[file_] += piece;
    return {};
  }
  Expected<void> EndFile() override { return {}; }
  Expected<void> Finish() override {
    finished = true;
    return {};
  }

  std::map<std::string, std::uint32_t> folders;
  std::map<std::string, std::string> files;
  std::map<std::string, std::uint32_t> modes;
  bool finished = false;

 private:
  std::string file_;
};

inline UniqueFd MemoryFile(const std::string& bytes) {
  UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

inline Expected<Summary> ExtractBytes(const std::string& bytes, Sink& sink,
                                      const Limits& limits = {}) {
  const UniqueFd file = MemoryFile(bytes);
  TarReader reader(file.get(), limits);
  return Extract(reader, limits, sink);
}

// The code of the refusal, "accepted" where there is none.
inline std::string CodeOf(const std::string& bytes, const Limits& limits = {}) {
  RecordingSink sink;
  const auto end = ExtractBytes(bytes, sink, limits);
  return end ? "accepted" : std::string(ToString(end.error().code));
}

}  // namespace tidewaiter::extract
