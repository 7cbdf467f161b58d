#include "audit/tree_proof.h"

#include <bit>

namespace tidewaiter::audit {
namespace {

// RFC 6962's k: the largest power of two below `count`, which is at least 2.
std::uint64_t Split(std::uint64_t count) {
  return std::bit_floor(count - 1);
}

}  // namespace

std::optional<ProofBuilder> ProofBuilder::Inclusion(std::uint64_t index, std::uint64_t size) {
  if (index >= size) return std::nullopt;
  ProofBuilder builder;
  builder.WantInclusion(index, 0, size);
  return builder;
}

std::optional<ProofBuilder> ProofBuilder::Consistency(std::uint64_t old_size,
                                                      std::uint64_t new_size) {
  if (old_size > new_size) return std::nullopt;
  ProofBuilder builder;
  if (old_size != 0 && old_size != new_size) builder.WantConsistency(old_size, 0, new_size, true);
  return builder;
}

void ProofBuilder::WantInclusion(std::uint64_t index, std::uint64_t begin, std::uint64_t end) {
  if (end - begin == 1) return;
  const std::uint64_t middle = begin + Split(end - begin);
  if (index < middle) {
    WantInclusion(index, begin, middle);
    Want(middle, end);
  } else {
    WantInclusion(index, middle, end);
    Want(begin, middle);
  }
}

// SUBPROOF of RFC 6962; `whole`: [begin, end) is a subtree of the old tree's own recursion, whose
// root whoever checks knows.
void ProofBuilder::WantConsistency(std::uint64_t old_size, std::uint64_t begin, std::uint64_t end,
                                   bool whole) {
  if (old_size == end) {
    if (!whole) Want(begin, end);
    return;
  }
  const std::uint64_t middle = begin + Split(end - begin);
  if (old_size <= middle) {
    WantConsistency(old_size, begin, middle, whole);
    Want(middle, end);
  } else {
    WantConsistency(old_size, middle, end, false);
    Want(begin, middle);
  }
}

std::vector<ProofBuilder::Range> ProofBuilder::Ranges() const {
  std::vector<Range> ranges;
  for (const Part& part : parts_) ranges.push_back({part.begin, part.end});
  return ranges;
}

bool ProofBuilder::Begin(const CompactRange& known) {
  for (Part& part : parts_) {
    if (part.begin >= known.size()) continue;
    auto leaves = known.Part(part.begin, part.end);
    if (!leaves) return false;
    part.leaves = *std::move(leaves);
  }
  next_ = known.size();
  return true;
}

void ProofBuilder::Add(TreeHasher& hasher, const Hash& leaf) {
  for (Part& part : parts_) {
    if (next_ >= part.begin && next_ < part.end) part.leaves.Append(hasher, leaf);
  }
  ++next_;
}

std::optional<Proof> ProofBuilder::Finish(TreeHasher& hasher) const {
  Proof proof;
  for (const Part& part : parts_) {
    if (part.leaves.size() != part.end - part.begin) return std::nullopt;
    proof.push_back(part.leaves.Root(hasher));
  }
  return proof;
}

// RFC 9162 section 2.1.3.2.
std::optional<Hash> RootByInclusion(TreeHasher& hasher, std::uint64_t index, std::uint64_t size,
                                    const Hash& leaf, const Proof& proof) {
  if (index >= size) return std::nullopt;
  std::uint64_t node = index;
  std::uint64_t last = size - 1;
  Hash root = leaf;
  for (const Hash& sibling : proof) {
    if (last == 0) return std::nullopt;
    if ((node & 1U) != 0 || node == last) {
      root = hasher.Node(sibling, root);
      while ((node & 1U) == 0 && node != 0) {
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      root = hasher.Node(root, sibling);
    }
    node >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return std::nullopt;
  return root;
}

// RFC 9162 section 2.1.4.2.
bool IsConsistent(TreeHasher& hasher, std::uint64_t old_size, const Hash& old_root,
                  std::uint64_t new_size, const Hash& new_root, const Proof& proof) {
  if (old_size > new_size) return false;
  if (old_size == new_size) return proof.empty() && old_root == new_root;
  if (old_size == 0) return proof.empty() && old_root == hasher.Empty();
  // Where the old tree is a perfect one, its root is where the path begins.
  std::size_t used = 0;
  Hash begin = old_root;
  if (!std::has_single_bit(old_size)) {
    if (proof.empty()) return false;
    begin = proof[used++];
  }
  std::uint64_t node = old_size - 1;
  std::uint64_t last = new_size - 1;
  while ((node & 1U) != 0) {
    node >>= 1U;
    last >>= 1U;
  }
  Hash old_by_proof = begin;
  Hash new_by_proof = begin;
  for (; used < proof.size(); ++used) {
    if (last == 0) return false;
    if ((node & 1U) != 0 || node == last) {
      old_by_proof = hasher.Node(proof[used], old_by_proof);
      new_by_proof = hasher.Node(proof[used], new_by_proof);
      while ((node & 1U) == 0 && node != 0) {
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      new_by_proof = hasher.Node(new_by_proof, proof[used]);
    }
    node >>= 1U;
    last >>= 1U;
  }
  return last == 0 && old_by_proof == old_root && new_by_proof == new_root;
}

}  // namespace tidewaiter::audit
