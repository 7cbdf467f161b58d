// Writes the accepted entries as a plain canonical tar: ustar, with PAX headers only where they are
// needed, no times, two zero blocks at the end. Equal entries give equal bytes, and every program
// reads them alike. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "extract/sink.h"
#include "extract/tar_encoding.h"

namespace tidewaiter::extract {

class TarSink final : public Sink {
 public:
  // Takes the archive's bytes. A refusal ends the archive and is passed on.
  using Output = std::function<Expected<void>(std::string_view)>;
  // Every piece has this size, but the last, which is not empty.
  static constexpr std::size_t kPieceBytes = std::size_t{256} << 10U;

  // `owner` is whose everything is in the archive.
  TarSink(TarOwner owner, Output output);

  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override;
  // Nothing: the folder's header is written, and a second one would be a path that comes twice,
  // which no reader of this project accepts. Where an archive lists a folder after what is in it,
  // its mode here is kImpliedFolderMode, while DirectorySink gives it its own. PackFolder lists
  // each folder first.
  Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) override;
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t size) override;
  // write-failed where there is more content than BeginFile said.
  Expected<void> Write(std::string_view piece) override;
  // write-failed where there was less.
  Expected<void> EndFile() override;
  Expected<void> Finish() override;

 private:
  Expected<void> Header(const TarEntry& entry);
  Expected<void> Put(std::string_view bytes);

  const TarOwner owner_;
  const Output output_;
  std::string piece_;
  std::uint64_t entries_ = 0;
  std::string file_;         // the path of the one under way
  std::uint64_t left_ = 0;   // of its content
  std::size_t padding_ = 0;  // after it
};

}  // namespace tidewaiter::extract
