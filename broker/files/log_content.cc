#include "broker/files/log_content.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "broker/run/log_prefix.h"

namespace tidewaiter::files {
namespace {

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kBlockBytes = std::size_t{64} << 10U;
using Header = std::array<unsigned char, kHeaderBytes>;

std::uint64_t LengthOf(const Header& header) {
  std::uint64_t length = 0;
  for (std::size_t i = 4; i < kHeaderBytes; ++i) length = length << 8U | header[i];
  return length;
}

bool IsHeader(const Header& header) {
  return (header[0] == 1 || header[0] == 2) && header[1] == 0 && header[2] == 0 && header[3] == 0;
}

Result<void> Digest(int file, std::uint64_t from, std::uint64_t length, run::LogPrefix& prefix) {
  std::vector<char> block(std::min<std::uint64_t>(length, kBlockBytes));
  while (length > 0) {
    const ssize_t got = ::pread(file, block.data(), std::min<std::uint64_t>(length, block.size()),
                                static_cast<off_t>(from));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return ErrnoError(got < 0 ? errno : EIO, "read the log of a run");
    const auto bytes = static_cast<std::size_t>(got);
    prefix.Add({block.data(), bytes});
    from += bytes;
    length -= bytes;
  }
  return Ok();
}

}  // namespace

Result<LogContent> MeasureLog(int file, bool digested) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return ErrnoError(errno, "measure the log of a run");
  const auto end = static_cast<std::uint64_t>(status.st_size);
  LogContent content;
  run::LogPrefix prefix;
  std::vector<unsigned char> block(kBlockBytes);
  std::uint64_t begin = 0;  // of what the block holds
  std::size_t held = 0;
  while (end - content.size >= kHeaderBytes) {
    if (content.size < begin || content.size + kHeaderBytes > begin + held) {
      const ssize_t got =
          ::pread(file, block.data(), block.size(), static_cast<off_t>(content.size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoError(errno, "measure the log of a run");
      if (static_cast<std::size_t>(got) < kHeaderBytes) break;
      begin = content.size;
      held = static_cast<std::size_t>(got);
    }
    Header header{};
    std::copy_n(block.data() + (content.size - begin), kHeaderBytes, header.data());
    const std::uint64_t length = LengthOf(header);
    if (!IsHeader(header) || length > end - content.size - kHeaderBytes) break;
    if (digested && header[0] == 1) {
      TW_TRY(Digest(file, content.size + kHeaderBytes, length, prefix));
    }
    (header[0] == 1 ? content.has.stdout_bytes : content.has.stderr_bytes) += length;
    content.size += kHeaderBytes + length;
  }
  if (digested) content.has.stdout_digest = prefix.Digest();
  return content;
}

}  // namespace tidewaiter::files
