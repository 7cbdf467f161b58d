#include "audit/segment_packer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/byte_source.h"
#include "audit/segment_name.h"
#include "audit/sha256.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {
namespace {

// Records are alike: more effort saves little.
constexpr int kLevel = 6;
constexpr int kWindowLog = 21;  // 2 MiB; readers take up to 8
constexpr std::size_t kBuffer = std::size_t{256} << 10U;

Error Cancelled() {
  return Fail(ErrorCode::kCancelled, "compress a segment: stopped");
}

class Packer {
 public:
  Packer() : context_(::ZSTD_createCCtx(), ::ZSTD_freeCCtx), out_(kBuffer) {
    // Only want of memory, or values out of range, make these fail.
    const auto set = [this](ZSTD_cParameter parameter, int value) {
      if (!context_ || ::ZSTD_isError(::ZSTD_CCtx_setParameter(context_.get(), parameter, value))) {
        std::abort();
      }
    };
    set(ZSTD_c_compressionLevel, kLevel);
    set(ZSTD_c_windowLog, kWindowLog);
    set(ZSTD_c_checksumFlag, 1);
  }

  // The frame's end where `last`.
  Result<void> Write(int fd, std::string_view bytes, bool last) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      left = ::ZSTD_compressStream2(context_.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      if (::ZSTD_isError(left) != 0) {
        return Fail(ErrorCode::kInternal,
                    std::string("compress a segment: ") + ::ZSTD_getErrorName(left));
      }
      TW_TRY(WriteAll(fd, {out_.data(), out.pos}));
    } while (last ? left != 0 : in.pos < in.size);
    return Ok();
  }

 private:
  static Result<void> WriteAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, "write a compressed segment");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return Ok();
  }

  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context_;
  std::vector<char> out_;
};

// Gives every byte of `source` to `take` and returns their hash.
template <typename Take>
Result<Sha256::Digest> Copy(ByteSource& source, const std::function<bool()>& stopped, Take take) {
  std::vector<char> buffer(kBuffer);
  Sha256 hash;
  while (true) {
    if (stopped()) return Cancelled();
    TW_ASSIGN(const std::size_t n, source.Read(buffer.data(), buffer.size()));
    if (n == 0) return hash.Finish();
    hash.Add({buffer.data(), n});
    TW_TRY(take(std::string_view(buffer.data(), n)));
  }
}

Result<UniqueFd> Open(int directory, const std::string& name, int flags) {
  // O_NONBLOCK: opening a FIFO that someone left here must not hang.
  UniqueFd fd(::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, "examine " + Quoted(name));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kFailedPrecondition, "open " + Quoted(name) + ": not a regular file");
  }
  return fd;
}

// The compressed file as it will be named, on disk and read back.
Result<void> Compress(int directory, const std::string& lines, const std::string& fresh,
                      const std::function<bool()>& stopped) {
  TW_ASSIGN(UniqueFd in, Open(directory, lines, O_RDONLY));
  struct stat status {};
  if (::fstat(in.get(), &status) != 0) return ErrnoError(errno, "examine " + Quoted(lines));
  FileSource source(std::move(in), static_cast<std::uint64_t>(status.st_size));
  TW_ASSIGN(const UniqueFd out, Open(directory, fresh, O_RDWR | O_CREAT | O_EXCL));
  Packer packer;
  TW_ASSIGN(const Sha256::Digest was, Copy(source, stopped, [&](std::string_view bytes) {
              return packer.Write(out.get(), bytes, false);
            }));
  TW_TRY(packer.Write(out.get(), {}, true));
  if (::fsync(out.get()) != 0) return ErrnoError(errno, "sync " + Quoted(fresh));
  TW_ASSIGN(UniqueFd again, Open(directory, fresh, O_RDONLY));
  ZstdSource unpacked(std::move(again));
  TW_ASSIGN(const Sha256::Digest is,
            Copy(unpacked, stopped, [](std::string_view) { return Ok(); }));
  if (is == was) return Ok();
  return Fail(ErrorCode::kFailedPrecondition,
              "compress " + Quoted(lines) + ": what was written does not read back the same");
}

// The one must be on disk before the other goes, whoever has put it there.
Result<void> RemoveLines(int directory, const std::string& lines, const std::string& packed) {
  TW_ASSIGN(const UniqueFd file, Open(directory, packed, O_RDONLY));
  if (::fsync(file.get()) != 0) return ErrnoError(errno, "sync " + Quoted(packed));
  if (::fsync(directory) != 0) return ErrnoError(errno, "sync audit directory");
  if (::unlinkat(directory, lines.c_str(), 0) != 0) {
    return ErrnoError(errno, "remove " + Quoted(lines));
  }
  return Ok();
}

// Fills `buffer` as far as the source goes.
Result<std::string_view> ReadFull(ByteSource& source, std::vector<char>& buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    TW_ASSIGN(const std::size_t n, source.Read(buffer.data() + filled, buffer.size() - filled));
    if (n == 0) break;
    filled += n;
  }
  return std::string_view(buffer.data(), filled);
}

}  // namespace

Result<bool> HasSameRecords(int directory, std::uint64_t first,
                            const std::function<bool()>& stopped) {
  TW_ASSIGN(UniqueFd lines, Open(directory, SegmentFileName(first, kLinesSuffix), O_RDONLY));
  TW_ASSIGN(UniqueFd packed, Open(directory, SegmentFileName(first, kPackedSuffix), O_RDONLY));
  struct stat status {};
  if (::fstat(lines.get(), &status) != 0) return ErrnoError(errno, "examine a segment");
  FileSource one(std::move(lines), static_cast<std::uint64_t>(status.st_size));
  ZstdSource other(std::move(packed));
  std::vector<char> mine(kBuffer);
  std::vector<char> its(kBuffer);
  while (!stopped()) {
    TW_ASSIGN(const std::string_view left, ReadFull(one, mine));
    TW_ASSIGN(const std::string_view right, ReadFull(other, its));
    if (left != right) return false;
    if (left.empty()) return true;
  }
  return Cancelled();
}

Result<void> PackSegment(int directory, std::uint64_t first, const std::function<bool()>& stopped) {
  const std::string lines = SegmentFileName(first, kLinesSuffix);
  const std::string packed = SegmentFileName(first, kPackedSuffix);
  const std::string fresh = packed + ".new";
  // Of an attempt that a crash cut short.
  if (::unlinkat(directory, fresh.c_str(), 0) != 0 && errno != ENOENT) {
    return ErrnoError(errno, "remove " + Quoted(fresh));
  }
  // A crash can have left both, the same; else somebody has put one there.
  const Result<bool> same = HasSameRecords(directory, first, stopped);
  if (!same && same.error().code != ErrorCode::kNotFound) return same.error();
  if (same && !*same) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        "compress " + Quoted(lines) + ": " + Quoted(packed) +
            " is there and says something else; 'tidewaiter audit verify' says which is wrong");
  }
  if (same) return RemoveLines(directory, lines, packed);
  if (Result<void> made = Compress(directory, lines, fresh, stopped); !made) {
    ::unlinkat(directory, fresh.c_str(), 0);
    return made;
  }
  if (::renameat(directory, fresh.c_str(), directory, packed.c_str()) != 0) {
    return ErrnoError(errno, "name " + Quoted(packed));
  }
  return RemoveLines(directory, lines, packed);
}

}  // namespace tidewaiter::audit
