#include "policy/image_allowlist.h"

#include <algorithm>
#include <utility>

namespace tidewaiter::policy {

bool ImageEntry::AdmitsVersion(const Version* version, bool tag_must_be_semver) const noexcept {
  if (versions) return version != nullptr && versions->Matches(*version);
  // Without a range a tag that need not be a version is not read as one.
  if (!tag_must_be_semver) return true;
  return version != nullptr && version->prerelease.empty();
}

bool ImageEntry::AdmitsDigest(std::string_view digest) const noexcept {
  return digests.empty() || std::binary_search(digests.begin(), digests.end(), digest);
}

void ImageAllowlist::Add(ImageEntry entry) {
  Index node = 0;
  node = Descend(node, entry.repository.registry());
  for (const std::string& segment : entry.repository.segments()) node = Descend(node, segment);
  const auto index = static_cast<Index>(entries_.size());
  Node& last = nodes_[node];
  (entry.repository.any_below() ? last.ending_below : last.ending_here).push_back(index);
  entries_.push_back(std::move(entry));
}

// The node below `node` for that segment of a pattern, made where there is none.
ImageAllowlist::Index ImageAllowlist::Descend(Index node, const std::string& segment) {
  const auto fresh = static_cast<Index>(nodes_.size());
  if (segment == "*") {
    if (nodes_[node].any != 0) return nodes_[node].any;
    nodes_[node].any = fresh;
  } else {
    const auto [found, inserted] = nodes_[node].next.emplace(segment, fresh);
    if (!inserted) return found->second;
  }
  nodes_.emplace_back();
  return fresh;
}

std::vector<const ImageEntry*> ImageAllowlist::Naming(const ImageReference& image) const {
  std::vector<const ImageEntry*> found;
  const auto& registries = nodes_.front().next;
  if (const auto registry = registries.find(image.registry); registry != registries.end()) {
    Collect(registry->second, image.repository, true, found);
  }
  std::sort(found.begin(), found.end());  // they are elements of one array, in the file's order
  return found;
}

std::vector<const ImageEntry*> ImageAllowlist::Covering(const RepositoryPattern& pattern) const {
  std::vector<const ImageEntry*> found;
  const auto& registries = nodes_.front().next;
  if (const auto registry = registries.find(pattern.registry()); registry != registries.end()) {
    CollectCovering(registry->second, pattern, 0, found);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Entries at or below `node` that name a path of which `rest` is left; `more`: whether any is.
// Recurses once for a segment, of which a name of 255 bytes has at most 128, and visits no node
// twice.
void ImageAllowlist::Collect(Index node, std::string_view rest, bool more,
                             std::vector<const ImageEntry*>& found) const {
  const Node& here = nodes_[node];
  for (const Index index : here.ending_below) found.push_back(&entries_[index]);
  if (!more) {
    for (const Index index : here.ending_here) found.push_back(&entries_[index]);
    return;
  }
  const std::size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  const bool goes_on = end != std::string_view::npos;
  const std::string_view left = goes_on ? rest.substr(end + 1) : std::string_view();
  if (here.any != 0) Collect(here.any, left, goes_on, found);
  if (const auto next = here.next.find(segment); next != here.next.end()) {
    Collect(next->second, left, goes_on, found);
  }
}

// Entries at or below `node` that cover `pattern`, whose first `depth` segments led here. Recurses
// once for a segment and visits no node twice.
void ImageAllowlist::CollectCovering(Index node, const RepositoryPattern& pattern,
                                     std::size_t depth,
                                     std::vector<const ImageEntry*>& found) const {
  const Node& here = nodes_[node];
  for (const Index index : here.ending_below) found.push_back(&entries_[index]);
  if (depth == pattern.segments().size()) {
    if (pattern.any_below()) return;
    for (const Index index : here.ending_here) found.push_back(&entries_[index]);
    return;
  }
  if (here.any != 0) CollectCovering(here.any, pattern, depth + 1, found);
  // A '*' is no key of `next`: nothing literal covers it.
  const auto next = here.next.find(pattern.segments()[depth]);
  if (next != here.next.end()) CollectCovering(next->second, pattern, depth + 1, found);
}

}  // namespace tidewaiter::policy
