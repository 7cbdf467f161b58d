// Where a reader's bytes come from: a part of an open file, or a file that was compressed. Hostile
// bytes; memory is bounded whatever they say. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

struct ZSTD_DCtx_s;

namespace tidewaiter::audit {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills at most `room` bytes at `out` and returns how many; 0 at the end, which can be a later
  // one at the next call. Errors: errno's, FAILED_PRECONDITION for what cannot be unpacked.
  virtual Result<std::size_t> Read(char* out, std::size_t room) = 0;
};

// Bytes [begin, end) of a file. Moves no file position, so that many can read one open file.
class FileSource : public ByteSource {
 public:
  FileSource(int fd, std::uint64_t begin, std::uint64_t end)  // borrowed
      : fd_(fd), next_(begin), end_(end) {}
  FileSource(UniqueFd fd, std::uint64_t end)
      : owned_(std::move(fd)), fd_(owned_.get()), end_(end) {}

  Result<std::size_t> Read(char* out, std::size_t room) override;
  // Goes on to a new end, beyond the old one. The file's own bounds it.
  void SetEnd(std::uint64_t end) noexcept { end_ = end; }

 private:
  UniqueFd owned_;
  int fd_;
  std::uint64_t next_ = 0;
  std::uint64_t end_;
};

// The content of a file of zstd frames (RFC 8878), window at most 8 MiB.
class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(UniqueFd fd);
  ~ZstdSource() override;
  Result<std::size_t> Read(char* out, std::size_t room) override;

 private:
  struct Input;
  UniqueFd fd_;
  std::unique_ptr<Input> input_;
  std::unique_ptr<ZSTD_DCtx_s, std::size_t (*)(ZSTD_DCtx_s*)> context_;
};

}  // namespace tidewaiter::audit
