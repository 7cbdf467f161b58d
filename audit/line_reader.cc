#include "audit/line_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "audit/record.h"

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kFirstBuffer = std::size_t{64} << 10U;

}  // namespace

LineReader::LineReader(ByteSource& source) : source_(&source), buffer_(kFirstBuffer) {}

// Reads more behind what is there. False at the end.
Result<bool> LineReader::Fill() {
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
  TW_ASSIGN(const std::size_t n, source_->Read(buffer_.data() + filled_, buffer_.size() - filled_));
  filled_ += n;
  return n > 0;
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
