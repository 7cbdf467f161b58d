#include "audit/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "audit/hash_text.h"

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
  const auto root = HashFromBase64(TakeLine(text));
  if (!root) return Refuse("its third line is not base64 of 32 bytes");
  checkpoint.root = *root;
  if (checkpoint.size == 0 && checkpoint.root != TreeHasher().Empty()) {
    return Refuse("its root is not that of no records");
  }
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) return Refuse("a further line is empty or does not end");
    checkpoint.extensions.emplace_back(line);
  }
  return checkpoint;
}

std::string Checkpoint::ToString() const {
  std::string text = fmt::format("{}\n{}\n{}\n", origin, size, ToBase64(root));
  for (const std::string& line : extensions) text += line + '\n';
  return text;
}

Checkpoint Checkpoint::WithEdge(std::string origin, const CompactRange& tree) {
  TreeHasher hasher;
  Checkpoint checkpoint{
      .origin = std::move(origin), .size = tree.size(), .root = tree.Root(hasher)};
  for (const Hash& root : tree.roots()) checkpoint.extensions.push_back(ToBase64(root));
  return checkpoint;
}

Result<CompactRange> Checkpoint::Edge() const {
  std::vector<Hash> roots;
  for (const std::string& line : extensions) {
    const auto hash = HashFromBase64(line);
    if (!hash) return Refuse("a further line is not base64 of 32 bytes");
    roots.push_back(*hash);
  }
  auto tree = CompactRange::Of(size, std::move(roots));
  if (!tree) return Refuse("it has not the edge of a tree of its size");
  TreeHasher hasher;
  if (tree->Root(hasher) != root) return Refuse("its edge does not make its root");
  return *std::move(tree);
}

}  // namespace tidewaiter::audit
