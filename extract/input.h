// The bytes of an archive as they come from a descriptor, decompressed: gzip, zstd, xz and bzip2
// are recognised by their first bytes, anything else is passed on as it is. By libarchive's
// filters, but for gzip (GzipStream). One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "extract/gzip_stream.h"
#include "extract/limits.h"
#include "extract/refusal.h"

struct archive;

namespace tidewaiter::extract {

class Input {
 public:
  // `fd` is borrowed.
  Input(int fd, const Limits& limits);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

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
  // The next bytes of `fd`, valid until the next call; empty at its end.
  Expected<std::string_view> ReadPiece();
  // Reads until it can be told whether gzip has compressed them.
  Expected<void> Recognise();
  Expected<void> Open();
  Expected<std::string_view> End();
  [[nodiscard]] tl::unexpected<Refusal> Failure() const;

  const int fd_;
  const Limits limits_;
  std::string buffer_;
  std::string_view first_;          // of buffer_: read by Recognise, and not yet given on
  std::optional<GzipStream> gzip_;  // what stands below libarchive
  std::optional<Refusal> refused_;  // by what stands there
  std::unique_ptr<archive, Closer> handle_;
  bool open_ = false;
  bool empty_ = false;
  std::uint64_t in_ = 0;  // bytes read from `fd`
  std::uint64_t out_ = 0;
};

}  // namespace tidewaiter::extract
