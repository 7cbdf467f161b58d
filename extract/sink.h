// Where accepted entries go. One thread; after a refusal nothing more is called.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "extract/refusal.h"

namespace tidewaiter::extract {

class Sink {
 public:
  virtual ~Sink() = default;

  // `path` is as ToEntryPath gives it, never empty; `mode` is clean (modes.h). Each path comes
  // once, and a folder before what is in it, also where the archive does not list it.
  virtual Expected<void> AddFolder(const std::string& path, std::uint32_t mode) = 0;
  // The mode of a folder that was added before with kImpliedFolderMode, since something in it came
  // first. A sink that cannot go back leaves it as it is, and says so.
  virtual Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) = 0;
  // The content follows in pieces of together `size` bytes, then EndFile.
  virtual Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                                   std::uint64_t size) = 0;
  virtual Expected<void> Write(std::string_view piece) = 0;
  virtual Expected<void> EndFile() = 0;
  // Of an archive that is accepted as a whole.
  virtual Expected<void> Finish() = 0;
};

}  // namespace tidewaiter::extract
