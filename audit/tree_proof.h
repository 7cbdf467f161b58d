// Proofs about an append-only Merkle tree (RFC 6962 sections 2.1.1 and 2.1.2): that an entry is in
// it, and that a larger tree begins with the smaller one's entries. Building reads each leaf once,
// in constant memory; checking takes what strangers give. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "audit/compact_range.h"
#include "audit/tree_hash.h"

namespace tidewaiter::audit {

using Proof = std::vector<Hash>;  // in RFC 6962's order; at most 65

class ProofBuilder {
 public:
  // PATH(index, D[size]). Nothing where there is no such entry.
  static std::optional<ProofBuilder> Inclusion(std::uint64_t index, std::uint64_t size);
  // PROOF(old_size, D[new_size]); empty where the old tree is, or both are the same. Nothing where
  // the old one is the larger.
  static std::optional<ProofBuilder> Consistency(std::uint64_t old_size, std::uint64_t new_size);

  // The subtrees whose roots the proof consists of, in its order: leaves [begin, end). Each begins
  // at a multiple of the smallest power of two that is not below its size.
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  [[nodiscard]] std::vector<Range> Ranges() const;

  // In place of the leaves before its end, before any Add. False where they are needed one by one,
  // as those of an entry that lies before it.
  [[nodiscard]] bool Begin(const CompactRange& known);
  // Each leaf in order, from the known ones' end to the tree's.
  void Add(TreeHasher& hasher, const Hash& leaf);
  // Nothing where leaves are missing.
  [[nodiscard]] std::optional<Proof> Finish(TreeHasher& hasher) const;

 private:
  // A subtree whose root the proof has. None overlaps another.
  struct Part {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    CompactRange leaves = {};
  };
  void Want(std::uint64_t begin, std::uint64_t end) { parts_.push_back({begin, end}); }
  void WantInclusion(std::uint64_t index, std::uint64_t begin, std::uint64_t end);
  void WantConsistency(std::uint64_t old_size, std::uint64_t begin, std::uint64_t end, bool whole);

  std::vector<Part> parts_;  // in the proof's order
  std::uint64_t next_ = 0;   // leaf
};

// The root of the tree of `size` entries that has `leaf` at `index`, by the proof. Nothing where
// the proof has not the length that it must have, or index >= size.
std::optional<Hash> RootByInclusion(TreeHasher& hasher, std::uint64_t index, std::uint64_t size,
                                    const Hash& leaf, const Proof& proof);

// Whether the tree of `new_size` entries with `new_root` begins with all of the one of `old_size`
// entries with `old_root`. An old tree without entries is the beginning of every other.
bool IsConsistent(TreeHasher& hasher, std::uint64_t old_size, const Hash& old_root,
                  std::uint64_t new_size, const Hash& new_root, const Proof& proof);

}  // namespace tidewaiter::audit
