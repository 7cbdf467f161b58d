#include "audit/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"

namespace tidewaiter::audit {
namespace {

Error Refuse(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, "read checkpoint: " + std::string(why));
}

// The first line without its line feed, taken off `text`. Empty where there is none.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t feed = text.find('\n');
  if (feed == std::string_view::npos) return {};
  const std::string_view line = text.substr(0, feed);
  text.remove_prefix(feed + 1);
  return line;
}

}  // namespace

Result<Checkpoint> Checkpoint::Parse(std::string_view text) {
  Checkpoint checkpoint;
  checkpoint.origin = TakeLine(text);
  if (checkpoint.origin.empty()) return Refuse("its first line, the origin, is missing");
  const std::string_view size = TakeLine(text);
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  if (error != std::errc() || end != size.data() + size.size() ||
      size != std::to_string(checkpoint.size)) {
    return Refuse("its second line is no number of records");
  }
  const auto root = DecodePaddedBase64(TakeLine(text));
  if (!root || root->size() != checkpoint.root.size()) {
    return Refuse("its third line is not base64 of 32 bytes");
  }
  std::copy(root->begin(), root->end(), checkpoint.root.begin());
  if (checkpoint.size == 0 && checkpoint.root != TreeHasher().Empty()) {
    return Refuse("its root is not that of no records");
  }
  while (!text.empty()) {
    if (TakeLine(text).empty()) return Refuse("a further line is empty or does not end");
  }
  return checkpoint;
}

std::string Checkpoint::ToString() const {
  return fmt::format("{}\n{}\n{}\n", origin, size,
                     EncodeBase64(std::string(root.begin(), root.end())));
}

}  // namespace tidewaiter::audit
