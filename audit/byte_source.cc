#include "audit/byte_source.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

namespace tidewaiter::audit {
namespace {

constexpr int kMaxWindowLog = 23;  // RFC 8878 recommends to support 8 MiB
constexpr std::size_t kInputBytes = std::size_t{64} << 10U;

}  // namespace

Result<std::size_t> FileSource::Read(char* out, std::size_t room) {
  if (next_ >= end_) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(room, end_ - next_));
  while (true) {
    const ssize_t n = ::pread(fd_, out, wanted, static_cast<off_t>(next_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read audit log");
    next_ += static_cast<std::uint64_t>(n);
    return static_cast<std::size_t>(n);
  }
}

struct ZstdSource::Input {
  std::array<char, kInputBytes> bytes{};
  ZSTD_inBuffer buffer{bytes.data(), 0, 0};
  bool ended = false;
  bool amid_frame = false;
};

ZstdSource::ZstdSource(UniqueFd fd)
    : fd_(std::move(fd)),
      input_(std::make_unique<Input>()),
      context_(::ZSTD_createDCtx(), ::ZSTD_freeDCtx) {
  // Only want of memory makes these fail.
  if (!context_ || ::ZSTD_isError(::ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax,
                                                           kMaxWindowLog)) != 0) {
    std::abort();
  }
}

ZstdSource::~ZstdSource() = default;

Result<std::size_t> ZstdSource::Read(char* out, std::size_t room) {
  const auto refuse = [](const std::string& cause) {
    return Fail(ErrorCode::kFailedPrecondition, "unpack audit log: " + cause);
  };
  ZSTD_outBuffer output{out, room, 0};
  while (output.pos == 0 && room > 0) {
    if (input_->buffer.pos == input_->buffer.size && !input_->ended) {
      const ssize_t n = ::read(fd_.get(), input_->bytes.data(), input_->bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, "read audit log");
      input_->ended = n == 0;
      input_->buffer.size = static_cast<std::size_t>(n);
      input_->buffer.pos = 0;
    }
    if (input_->ended && !input_->amid_frame) break;
    const std::size_t left = ::ZSTD_decompressStream(context_.get(), &output, &input_->buffer);
    if (::ZSTD_isError(left) != 0) return refuse(::ZSTD_getErrorName(left));
    input_->amid_frame = left != 0;
    if (input_->ended && input_->amid_frame && output.pos == 0) {
      return refuse("it ends amid a frame");
    }
  }
  return output.pos;
}

}  // namespace tidewaiter::audit
