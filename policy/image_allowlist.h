// The [[images.allow]] entries of one policy. What admits an image is found in time that grows with
// the depth of its path, and with the number of its repository's entries only where those are
// ranges of many versions (policy/entry_index.h). A value; immutable once read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/entry_index.h"
#include "policy/image_entry.h"
#include "policy/image_reference.h"

namespace tidewaiter::policy {

class ImageAllowlist {
 public:
  void Add(ImageEntry entry);

  // In the order of the file.
  [[nodiscard]] const std::vector<ImageEntry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

  // Whether one entry admits the image's repository, and the version and digest of `pin`. Allocates
  // nothing.
  [[nodiscard]] bool Admits(const ImageReference& image, const ImagePin& pin) const;
  // Visits, in the order of the file, the entries that admit the image's repository and the version
  // of `pin`, until `visit` returns false.
  void VisitByVersion(const ImageReference& image, const ImagePin& pin,
                      const std::function<bool(const ImageEntry&)>& visit) const;
  // Whether `inside` holds for one entry whose repository names everything that `child`'s does
  // (RepositoryPattern::IsSubsetOf). Leaves out entries that admit less than `child` by their
  // versions or digests.
  [[nodiscard]] bool AnyAround(const ImageEntry& child,
                               const std::function<bool(const ImageEntry&)>& inside) const;

 private:
  using Index = std::uint32_t;
  // One segment of a path, the registry being the first. Nodes, indexes and entries are named by
  // their places, so that a copy of the whole stands on its own; 0 is none.
  struct Node {
    std::map<std::string, Index, std::less<>> next;  // by literal segment
    Index any = 0;                                   // by '*'
    Index ending_here = 0;                           // entries
    Index ending_below = 0;                          // entries with a final '**'
  };
  Index Descend(Index node, const std::string& segment);
  // Whether `holds` does for the entries of one pattern that names the image.
  template <typename Holds>
  bool AnyNaming(const ImageReference& image, Holds&& holds) const;
  template <typename Holds>
  bool AnyNaming(Index node, std::string_view rest, bool more, Holds& holds) const;
  bool AnyCovering(Index node, const RepositoryPattern& pattern, std::size_t depth,
                   const std::function<bool(const EntryIndex&)>& holds) const;

  std::vector<ImageEntry> entries_;
  std::vector<Node> nodes_{1};
  std::vector<EntryIndex> indexes_{1};
};

}  // namespace tidewaiter::policy
