// What tidewaiter-carrier says on stderr while it packs: lines, the last of which tells that the
// archive is whole.
//   omitted CODE PATH                 the first kMaxListedOmissions of them
//   sent ARCHIVE_BYTES                as many have been written to stdout
//   packed ENTRIES BYTES OMITTED      OMITTED counts all
// Anything else is a message for people. The reader takes the writer for hostile. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "extract/extraction.h"
#include "extract/folder_packer.h"

namespace tidewaiter::extract {

inline constexpr std::size_t kMaxListedOmissions = 1000;

std::string FormatOmission(const Omission& omission);
std::string FormatSent(std::uint64_t archive_bytes);
std::string FormatPacked(const Summary& summary, std::uint64_t omitted);

class OmissionReader {
 public:
  // Gets each omission: a code that is one, and a path that is safe to print and not empty.
  using Take = std::function<void(std::string_view code, std::string_view path)>;

  explicit OmissionReader(Take take) : take_(std::move(take)) {}

  // The next bytes, in pieces of any size. Keeps at most one line, of at most 8 KiB.
  void Feed(std::string_view bytes);

  // Once the archive is said to be whole: how much was left out of it.
  [[nodiscard]] const std::optional<std::uint64_t>& omitted() const noexcept { return omitted_; }
  // How many bytes the archive has, once that was said; an older carrier says nothing of it.
  [[nodiscard]] const std::optional<std::uint64_t>& sent() const noexcept { return sent_; }
  // The beginning of what was no such line, safe to print.
  [[nodiscard]] std::string message() const;

 private:
  void TakeLine(std::string_view line);

  Take take_;
  std::string line_;
  std::size_t listed_ = 0;
  std::optional<std::uint64_t> omitted_;
  std::optional<std::uint64_t> sent_;
  std::string message_;
};

}  // namespace tidewaiter::extract
