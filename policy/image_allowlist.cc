#include "policy/image_allowlist.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace tidewaiter::policy {

void ImageAllowlist::Add(ImageEntry entry) {
  Index node = 0;
  node = Descend(node, entry.repository.registry());
  for (const std::string& segment : entry.repository.segments()) node = Descend(node, segment);
  const auto place = static_cast<EntryIndex::Place>(entries_.size());
  Index& index =
      entry.repository.any_below() ? nodes_[node].ending_below : nodes_[node].ending_here;
  if (index == 0) {
    index = static_cast<Index>(indexes_.size());
    indexes_.emplace_back();
  }
  entries_.push_back(std::move(entry));
  indexes_[index].Add(entries_, place);
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

template <typename Holds>
bool ImageAllowlist::AnyNaming(const ImageReference& image, Holds&& holds) const {
  const auto& registries = nodes_.front().next;
  const auto registry = registries.find(image.registry);
  return registry != registries.end() && AnyNaming(registry->second, image.repository, true, holds);
}

// The same at or below `node`, for a path of which `rest` is left; `more`: whether any is. Recurses
// once for a segment, of which a name of 255 bytes has at most 128, and visits no node twice.
template <typename Holds>
bool ImageAllowlist::AnyNaming(Index node, std::string_view rest, bool more, Holds& holds) const {
  const Node& here = nodes_[node];
  if (here.ending_below != 0 && holds(indexes_[here.ending_below])) return true;
  if (!more) return here.ending_here != 0 && holds(indexes_[here.ending_here]);
  const std::size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  const bool goes_on = end != std::string_view::npos;
  const std::string_view left = goes_on ? rest.substr(end + 1) : std::string_view();
  if (here.any != 0 && AnyNaming(here.any, left, goes_on, holds)) return true;
  const auto next = here.next.find(segment);
  return next != here.next.end() && AnyNaming(next->second, left, goes_on, holds);
}

bool ImageAllowlist::Admits(const ImageReference& image, const ImagePin& pin) const {
  return AnyNaming(image, [&](const EntryIndex& index) { return index.Admits(entries_, pin); });
}

void ImageAllowlist::VisitByVersion(const ImageReference& image, const ImagePin& pin,
                                    const std::function<bool(const ImageEntry&)>& visit) const {
  using Places = std::vector<EntryIndex::Place>;
  std::vector<const Places*> lists;
  AnyNaming(image, [&](const EntryIndex& index) {
    index.ListByVersion(pin, lists);
    return false;
  });
  // What is left of each list, the one with the first entry of the file on top.
  using Rest = std::pair<Places::const_iterator, Places::const_iterator>;
  const auto later = [](const Rest& a, const Rest& b) { return *a.first > *b.first; };
  std::priority_queue<Rest, std::vector<Rest>, decltype(later)> left(later);
  for (const Places* places : lists) {
    if (!places->empty()) left.emplace(places->begin(), places->end());
  }
  while (!left.empty()) {
    Rest rest = left.top();
    left.pop();
    const ImageEntry& entry = entries_[*rest.first];
    const bool fits =
        !pin.version_counts || entry.AdmitsVersion(pin.version, pin.tag_must_be_semver);
    if (fits && !visit(entry)) return;
    if (++rest.first != rest.second) left.push(rest);
  }
}

bool ImageAllowlist::AnyAround(const ImageEntry& child,
                               const std::function<bool(const ImageEntry&)>& inside) const {
  const auto& registries = nodes_.front().next;
  const auto registry = registries.find(child.repository.registry());
  return registry != registries.end() &&
         AnyCovering(registry->second, child.repository, 0, [&](const EntryIndex& index) {
           return index.AnyAround(entries_, child, inside);
         });
}

// Whether `holds` does for the entries of one pattern at or below `node` that covers `pattern`,
// whose first `depth` segments led here. Recurses once for a segment and visits no node twice.
bool ImageAllowlist::AnyCovering(Index node, const RepositoryPattern& pattern, std::size_t depth,
                                 const std::function<bool(const EntryIndex&)>& holds) const {
  const Node& here = nodes_[node];
  if (here.ending_below != 0 && holds(indexes_[here.ending_below])) return true;
  if (depth == pattern.segments().size()) {
    return !pattern.any_below() && here.ending_here != 0 && holds(indexes_[here.ending_here]);
  }
  if (here.any != 0 && AnyCovering(here.any, pattern, depth + 1, holds)) return true;
  // A '*' is no key of `next`: nothing literal covers it.
  const auto next = here.next.find(pattern.segments()[depth]);
  return next != here.next.end() && AnyCovering(next->second, pattern, depth + 1, holds);
}

}  // namespace tidewaiter::policy
