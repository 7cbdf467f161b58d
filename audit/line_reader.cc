#include "audit/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "audit/record.h"

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kFirstBuffer = std::size_t{64} << 10U;

}  // namespace

LineReader::LineReader(int fd, std::uint64_t begin, std::uint64_t end)
    : fd_(fd), offset_(begin), end_(end), buffer_(kFirstBuffer) {}

// Reads more behind what is there. False at the end.
Result<bool> LineReader::Fill() {
  const std::uint64_t next = offset_ + (filled_ - begin_);
  if (next >= end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, filled_ - begin_);
    filled_ -= std::exchange(begin_, 0);
  }
  if (filled_ == buffer_.size()) {
    if (filled_ >= kMaxLineBytes) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "read audit log: the line at byte " + std::to_string(offset_) + " is too long");
    }
    buffer_.resize(std::min(2 * buffer_.size(), kMaxLineBytes));
  }
  const std::size_t room = buffer_.size() - filled_;
  while (true) {
    const ssize_t n = ::pread(fd_, buffer_.data() + filled_,
                              static_cast<std::size_t>(std::min<std::uint64_t>(room, end_ - next)),
                              static_cast<off_t>(next));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read audit log");
    filled_ += static_cast<std::size_t>(n);
    return n > 0;  // 0: the file is shorter than it was
  }
}

Result<std::optional<std::string_view>> LineReader::Next() {
  std::size_t searched = begin_;
  while (true) {
    const void* feed = std::memchr(buffer_.data() + searched, '\n', filled_ - searched);
    if (feed != nullptr) {
      const auto length =
          static_cast<std::size_t>(static_cast<const char*>(feed) - (buffer_.data() + begin_));
      const std::string_view line(buffer_.data() + begin_, length);
      begin_ += length + 1;
      offset_ += length + 1;
      return line;
    }
    const std::size_t pending = filled_ - begin_;
    TW_ASSIGN(const bool more, Fill());
    if (!more) return std::nullopt;
    searched = begin_ + pending;
  }
}

}  // namespace tidewaiter::audit
