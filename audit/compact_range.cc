#include "audit/compact_range.h"

#include <bit>
#include <utility>

namespace tidewaiter::audit {

std::optional<CompactRange> CompactRange::Of(std::uint64_t size, std::vector<Hash> roots) {
  if (roots.size() != static_cast<std::size_t>(std::popcount(size))) return std::nullopt;
  CompactRange range;
  range.size_ = size;
  range.roots_ = std::move(roots);
  return range;
}

void CompactRange::Append(TreeHasher& hasher, const Hash& leaf) {
  Add(hasher, leaf, nullptr);
}

void CompactRange::Append(TreeHasher& hasher, const Hash& leaf, std::string& completed) {
  Add(hasher, leaf, &completed);
}

// As a carry runs through a binary counter: two subtrees of one size become one.
void CompactRange::Add(TreeHasher& hasher, const Hash& leaf, std::string* completed) {
  const auto note = [completed](const Hash& hash) {
    if (completed != nullptr) completed->append(hash.begin(), hash.end());
  };
  roots_.push_back(leaf);
  note(leaf);
  for (std::uint64_t carry = size_; (carry & 1U) != 0; carry >>= 1U) {
    const Hash right = roots_.back();
    roots_.pop_back();
    roots_.back() = hasher.Node(roots_.back(), right);
    note(roots_.back());
  }
  ++size_;
}

Hash CompactRange::Root(TreeHasher& hasher) const {
  if (roots_.empty()) return hasher.Empty();
  Hash root = roots_.back();
  for (std::size_t i = roots_.size() - 1; i > 0; --i) root = hasher.Node(roots_[i - 1], root);
  return root;
}

std::optional<CompactRange> CompactRange::Part(std::uint64_t begin, std::uint64_t end) const {
  CompactRange part;
  std::uint64_t at = 0;
  std::size_t next = 0;
  for (std::uint64_t bit = std::bit_floor(size_); bit != 0; bit >>= 1U) {
    if ((size_ & bit) == 0) continue;
    const Hash& root = roots_[next++];
    const std::uint64_t after = at + bit;
    if (at >= begin && after <= end) {
      part.roots_.push_back(root);
      part.size_ += bit;
    } else if (after > begin && at < end) {
      return std::nullopt;  // inside of one that is kept as a whole
    }
    at = after;
  }
  return part;
}

}  // namespace tidewaiter::audit
