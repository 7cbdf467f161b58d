// The bytes of an archive as they come from a descriptor, decompressed: gzip, zstd, xz and bzip2
// are recognised by their first bytes, anything else is passed on as it is. By libarchive's
// filters. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "extract/limits.h"
#include "extract/refusal.h"

struct archive;

namespace tidewaiter::extract {

class Input {
 public:
  // `fd` is borrowed.
  Input(int fd, const Limits& limits);

  // The next piece, valid until the next call; empty at the end, which must be the end of `fd` too.
  // Refusals: corrupt, compression-ratio, trailing-data, memory, write-failed (where `fd` cannot be
  // read).
  Expected<std::string_view> Next();

 private:
  struct Closer {
    void operator()(archive* handle) const noexcept;
  };
  // libarchive's read callback; `self` is this.
  static std::ptrdiff_t OnRead(archive* handle, void* self, const void** buffer);
  Expected<void> Open();
  Expected<std::string_view> End();
  [[nodiscard]] tl::unexpected<Refusal> Failure() const;

  const int fd_;
  const Limits limits_;
  std::string buffer_;
  std::unique_ptr<archive, Closer> handle_;
  bool open_ = false;
  bool empty_ = false;
  int errno_ = 0;         // of a failed read
  std::uint64_t in_ = 0;  // bytes read from `fd`
  std::uint64_t out_ = 0;
};

}  // namespace tidewaiter::extract
