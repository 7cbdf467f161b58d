#include "broker/files/log_content.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

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

}  // namespace

Result<LogContent> MeasureLog(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return ErrnoError(errno, "measure the log of a run");
  const auto end = static_cast<std::uint64_t>(status.st_size);
  LogContent content;
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
    (header[0] == 1 ? content.has.stdout_bytes : content.has.stderr_bytes) += length;
    content.size += kHeaderBytes + length;
  }
  return content;
}

}  // namespace tidewaiter::files
