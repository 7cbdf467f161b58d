// The files and folders of a tar archive, one after another. What libarchive reads is held against
// what TarScanner found in the same bytes; where they differ, the archive is ambiguous. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "extract/entry_source.h"
#include "extract/input.h"
#include "extract/limits.h"
#include "extract/refusal.h"
#include "extract/tar_scanner.h"

struct archive;
struct archive_entry;

namespace tidewaiter::extract {

class TarReader final : public EntrySource {
 public:
  // `fd` is borrowed.
  TarReader(int fd, const Limits& limits);
  ~TarReader() override;
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  Expected<std::optional<Entry>> Next() override;
  Expected<std::string_view> Read() override;

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
