// Reads the structure of a tar archive from its bytes, as strictly as it can be read: what GNU tar,
// libarchive and Python's tarfile would take for different things is refused as ambiguous. It holds
// no content, so its memory does not grow with the archive. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "extract/pax_records.h"
#include "extract/refusal.h"
#include "extract/tar_header.h"

namespace tidewaiter::extract {

struct ScannedEntry {
  std::string name;  // as the archive has it
  bool is_folder = false;
  std::uint64_t size = 0;  // of a folder 0
  std::uint32_t mode = 0;  // permission bits, twelve of them
};

class TarScanner {
 public:
  // The next bytes of the archive, uncompressed, in pieces of any size. Nothing may follow a
  // refusal.
  Expected<void> Feed(std::string_view bytes);
  // At the end of the bytes. Refusals: truncated, not-a-tar.
  Expected<void> Finish();

  // The entries that were met and not yet taken, in the archive's order.
  std::optional<ScannedEntry> Next();

 private:
  enum class Phase { kHeader, kBody, kContent, kOneZeroBlock, kEnd };

  Expected<void> TakeBlock(std::string_view block);
  Expected<void> TakeHeader(const TarHeader& header);
  // Of headers whose body says something of the next: pax, global, GNU's long names.
  Expected<void> BeginBody(const TarHeader& header);
  Expected<void> EndBody();
  Expected<void> AddEntry(const TarHeader& header);
  Expected<std::uint64_t> SizeOf(const TarHeader& header) const;
  [[nodiscard]] std::string NameOf(const TarHeader& header) const;
  [[nodiscard]] bool HasPending() const { return pax_ || long_name_ || long_link_; }

  Phase phase_ = Phase::kHeader;
  std::string partial_;     // of a block, where a piece ended amid one
  std::uint64_t left_ = 0;  // bytes of the content or body, without padding
  char body_type_ = 0;
  std::string body_;
  bool any_ = false;  // whether a header was met
  std::optional<PaxRecords> pax_;
  std::optional<std::string> long_name_;
  bool long_link_ = false;
  bool global_ = false;  // whether a global header was met and no entry after it
  std::deque<ScannedEntry> entries_;
};

}  // namespace tidewaiter::extract
