#include "audit/hash_hints.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "audit/segment_name.h"
#include "audit/stored_hashes.h"

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kBuffer = std::size_t{64} << 10U;

}  // namespace

HashHints::HashHints(int directory, std::uint64_t first) : buffer_(kBuffer), next_(first) {
  const std::string name = SegmentFileName(first, kHashesSuffix);
  UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  file_.emplace(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

std::optional<Hash> HashHints::Next() {
  if (!file_) return std::nullopt;
  // Behind the leaf stand the subtrees that it made perfect.
  const std::uint64_t hashes = StoredHashes(next_ + 1) - StoredHashes(next_);
  const auto bytes = static_cast<std::size_t>(hashes * kHashBytes);
  while (filled_ - at_ < bytes) {
    std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
    filled_ -= at_;
    at_ = 0;
    const auto n = file_->Read(buffer_.data() + filled_, buffer_.size() - filled_);
    if (!n || *n == 0) {
      file_.reset();
      return std::nullopt;
    }
    filled_ += *n;
  }
  Hash hash{};
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), hash.size(), hash.begin());
  at_ += bytes;
  ++next_;
  return hash;
}

}  // namespace tidewaiter::audit
