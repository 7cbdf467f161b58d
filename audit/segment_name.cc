#include "audit/segment_name.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <optional>

namespace tidewaiter::audit {
namespace {

constexpr std::size_t kDigits = 20;  // of 2^64 - 1

std::optional<std::uint64_t> TakeFirst(std::string_view& name) {
  if (name.size() <= kDigits) return std::nullopt;
  std::uint64_t first = 0;
  const char* const end = name.data() + kDigits;
  const auto [stopped, error] = std::from_chars(name.data(), end, first);
  if (error != std::errc() || stopped != end) return std::nullopt;
  name.remove_prefix(kDigits);
  return first;
}

}  // namespace

std::string SegmentFileName(std::uint64_t first, std::string_view suffix) {
  return fmt::format("{:020}{}", first, suffix);
}

Result<std::vector<SegmentFiles>> ListSegments(int directory) {
  // A descriptor of its own: reading a directory moves its position.
  const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoError(errno, "list audit directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd), ::closedir);
  if (!listing) {
    const int error = errno;
    ::close(fd);
    return ErrnoError(error, "list audit directory");
  }
  std::map<std::uint64_t, SegmentFiles> found;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(listing.get());
    if (entry == nullptr) break;
    std::string_view name = entry->d_name;
    const auto first = TakeFirst(name);
    if (!first) continue;
    SegmentFiles files;
    files.lines = name == kLinesSuffix;
    files.packed = name == kPackedSuffix;
    files.hashes = name == kHashesSuffix;
    files.checkpoints = name == kCheckpointsSuffix;
    if (!files.HasRecords() && !files.hashes && !files.checkpoints) continue;
    SegmentFiles& known = found[*first];
    known.first = *first;
    known.lines |= files.lines;
    known.packed |= files.packed;
    known.hashes |= files.hashes;
    known.checkpoints |= files.checkpoints;
  }
  if (errno != 0) return ErrnoError(errno, "list audit directory");
  std::vector<SegmentFiles> segments;
  segments.reserve(found.size());
  for (const auto& [first, files] : found) segments.push_back(files);
  return segments;
}

}  // namespace tidewaiter::audit
