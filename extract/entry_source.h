// Port: the files and folders of an archive, one after another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "extract/refusal.h"

namespace tidewaiter::extract {

struct Entry {
  std::string path;       // as ToEntryPath gives it; empty for the destination itself
  std::string_view name;  // as the archive has it: not safe to print; valid until the next entry
  bool is_folder = false;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits as the archive has them, twelve of them
};

class EntrySource {
 public:
  virtual ~EntrySource() = default;
  // The next entry; nothing at the end, when everything was read and found sound. What was not read
  // of the entry before is skipped.
  virtual Expected<std::optional<Entry>> Next() = 0;
  // The next piece of the entry's content, valid until the next call; empty at its end.
  virtual Expected<std::string_view> Read() = 0;
};

}  // namespace tidewaiter::extract
