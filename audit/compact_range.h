// An append-only Merkle tree of which only the right edge is kept: the roots of the perfect
// subtrees that its leaves fall into, largest first, one for each bit of its size. That is all it
// takes to go on and to tell the root: at most 64 hashes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/tree_hash.h"

namespace tidewaiter::audit {

class CompactRange {
 public:
  CompactRange() = default;
  // Of a tree of `size` leaves that was kept. Nothing where `roots` are not as many as that takes.
  static std::optional<CompactRange> Of(std::uint64_t size, std::vector<Hash> roots);

  void Append(TreeHasher& hasher, const Hash& leaf);
  // The same; gives `completed` the leaf and then each subtree that it makes perfect, from the
  // smallest on: the order in which a file of hashes has them (stored_hashes.h).
  void Append(TreeHasher& hasher, const Hash& leaf, std::string& completed);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] const std::vector<Hash>& roots() const noexcept { return roots_; }
  // RFC 6962's MTH of all leaves.
  [[nodiscard]] Hash Root(TreeHasher& hasher) const;

  // Leaves [begin, end) as a tree of their own. They must be a subtree of one that has these leaves
  // at its beginning, as all that RFC 6962's recursion names are; nothing where the edge that was
  // kept does not tell it.
  [[nodiscard]] std::optional<CompactRange> Part(std::uint64_t begin, std::uint64_t end) const;

 private:
  void Add(TreeHasher& hasher, const Hash& leaf, std::string* completed);

  std::uint64_t size_ = 0;
  std::vector<Hash> roots_;
};

}  // namespace tidewaiter::audit
