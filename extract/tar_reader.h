// The files and folders of a tar archive, one after another. What libarchive reads is held against
// what TarScanner found in the same bytes; where they differ, the archive is ambiguous. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "extract/input.h"
#include "extract/limits.h"
#include "extract/refusal.h"
#include "extract/tar_scanner.h"

struct archive;
struct archive_entry;

namespace tidewaiter::extract {

struct Entry {
  std::string path;       // as ToEntryPath gives it; empty for the destination itself
  std::string_view name;  // as the archive has it: not safe to print; valid until the next entry
  bool is_folder = false;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits as the archive has them, twelve of them
};

class TarReader {
 public:
  // `fd` is borrowed.
  TarReader(int fd, const Limits& limits);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next entry; nothing at the end, when everything was read and found sound. What was not read
  // of the entry before is skipped.
  Expected<std::optional<Entry>> Next();
  // The next piece of the entry's content, valid until the next call; empty at its end.
  Expected<std::string_view> Read();

 private:
  static std::ptrdiff_t OnRead(archive* handle, void* self, const void** buffer);
  Expected<void> Compare(archive_entry& read, const ScannedEntry& scanned) const;
  Expected<std::optional<Entry>> End();
  [[nodiscard]] tl::unexpected<Refusal> Failure();

  const Limits limits_;
  Input input_;
  TarScanner scanner_;
  std::optional<Refusal> refused_;  // by what stands below libarchive
  std::unique_ptr<archive, void (*)(archive*)> handle_;
  bool open_ = false;
  bool at_end_ = false;     // of the bytes
  std::string name_;        // of the entry under way, as the archive has it
  std::uint64_t left_ = 0;  // of its content
};

}  // namespace tidewaiter::extract
