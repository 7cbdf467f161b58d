// A plain tar archive as TarSink writes it, read without libarchive: that would need the C
// library's locales, which a program alone in its image does not have. Still nothing is believed:
// what TarScanner refuses is refused. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "extract/entry_source.h"
#include "extract/limits.h"
#include "extract/tar_scanner.h"

namespace tidewaiter::extract {

class PlainReader final : public EntrySource {
 public:
  // `fd` is borrowed.
  PlainReader(int fd, const Limits& limits) : fd_(fd), limits_(limits) {}

  Expected<std::optional<Entry>> Next() override;
  Expected<std::string_view> Read() override;

 private:
  // The next bytes of the archive, at most so many, and none only at its end; the scanner has seen
  // them.
  Expected<std::string_view> Take(std::size_t most);

  const int fd_;
  const Limits limits_;
  TarScanner scanner_;
  std::string buffer_;
  std::string name_;           // of the entry under way
  std::uint64_t content_ = 0;  // bytes of it that are still to come
  std::uint64_t padding_ = 0;  // after them
};

}  // namespace tidewaiter::extract
