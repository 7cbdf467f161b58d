// The [[images.allow]] entries of one policy, found by repository in time that grows with the depth
// of its path, not with the number of entries. A value; immutable once read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"
#include "policy/repository_pattern.h"
#include "policy/version_range.h"

namespace tidewaiter::policy {

// One [[images.allow]] entry. Repository, version and digest are admitted together or not at all.
struct ImageEntry {
  RepositoryPattern repository;
  std::optional<VersionRange> versions;  // absent: every release, no pre-release
  std::vector<std::string> digests;      // sorted; empty: any

  // `version` is null where the tag is none.
  [[nodiscard]] bool AdmitsVersion(const Version* version, bool tag_must_be_semver) const noexcept;
  [[nodiscard]] bool AdmitsDigest(std::string_view digest) const noexcept;
};

class ImageAllowlist {
 public:
  void Add(ImageEntry entry);

  // In the order of the file.
  [[nodiscard]] const std::vector<ImageEntry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

  // Those whose repository names the image's, in the order of the file. Valid while this object is
  // neither changed nor destroyed.
  [[nodiscard]] std::vector<const ImageEntry*> Naming(const ImageReference& image) const;
  // Those whose repository names everything that `pattern` names (RepositoryPattern::IsSubsetOf),
  // in the order of the file. Valid as long.
  [[nodiscard]] std::vector<const ImageEntry*> Covering(const RepositoryPattern& pattern) const;

 private:
  using Index = std::uint32_t;
  // One segment of a path, the registry being the first. Nodes and entries are named by index, so
  // that a copy of the whole stands on its own.
  struct Node {
    std::map<std::string, Index, std::less<>> next;  // by literal segment
    Index any = 0;                                   // by '*'; 0, the root, is none
    std::vector<Index> ending_here;                  // entries
    std::vector<Index> ending_below;                 // entries with a final '**'
  };
  Index Descend(Index node, const std::string& segment);
  void Collect(Index node, std::string_view rest, bool more,
               std::vector<const ImageEntry*>& found) const;
  void CollectCovering(Index node, const RepositoryPattern& pattern, std::size_t depth,
                       std::vector<const ImageEntry*>& found) const;

  std::vector<ImageEntry> entries_;
  std::vector<Node> nodes_{1};
};

}  // namespace tidewaiter::policy
