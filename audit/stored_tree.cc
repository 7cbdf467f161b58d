#include "audit/stored_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "audit/segment_edge.h"
#include "audit/segment_name.h"
#include "audit/stored_hashes.h"
#include "base/printable.h"

namespace tidewaiter::audit {
namespace {

Error Gone(std::uint64_t record) {
  return Fail(ErrorCode::kNotFound,
              fmt::format("make proof: the hash of record {} is not stored any more", record));
}

}  // namespace

Result<Proof> StoredTree::Prove(const ProofBuilder& builder) {
  Proof proof;
  for (const ProofBuilder::Range& range : builder.Ranges()) {
    TW_ASSIGN(const Hash root, RangeRoot(range.begin, range.end));
    proof.push_back(root);
  }
  return proof;
}

// RFC 6962's ranges begin at a multiple of every perfect subtree that they consist of.
Result<Hash> StoredTree::RangeRoot(std::uint64_t begin, std::uint64_t end) {
  std::vector<Hash> roots;
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t size = std::bit_floor(end - at);
    const auto level = static_cast<unsigned>(std::countr_zero(size));
    TW_ASSIGN(const Hash root, SubtreeRoot(level, at >> level));
    roots.push_back(root);
    at += size;
  }
  return CompactRange::Of(end - begin, std::move(roots))->Root(hasher_);
}

// What is not found where the segments were is looked for where they are now.
Result<Hash> StoredTree::SubtreeRoot(unsigned level, std::uint64_t number) {
  auto root = ReadRoot(level, number);
  if (root || root.error().code != ErrorCode::kNotFound) return root;
  TW_ASSIGN(segments_, ListSegments(directory_.get()));
  open_.reset();
  return ReadRoot(level, number);
}

Result<Hash> StoredTree::ReadRoot(unsigned level, std::uint64_t number) {
  const std::uint64_t last = ((number + 1) << level) - 1;
  TW_TRY(OpenSegmentOf(last));
  if (!open_) {
    // Removed: the tree's edge still has it, where no proof needs what is below.
    const auto part = before_->Part(number << level, (number + 1) << level);
    if (!part || part->roots().size() != 1) return Gone(last);
    return part->roots().front();
  }
  Hash hash{};
  const std::uint64_t offset =
      kHashBytes * (StoredPlace(level, number) - StoredHashes(open_->first));
  const ssize_t n =
      ::pread(open_->hashes.get(), hash.data(), hash.size(), static_cast<off_t>(offset));
  if (n < 0) return ErrnoError(errno, "read the log's hashes");
  if (static_cast<std::size_t>(n) != hash.size()) return Gone(last);
  return hash;
}

// Leaves open_ empty where the record is before the first segment.
Result<void> StoredTree::OpenSegmentOf(std::uint64_t record) {
  const SegmentFiles* found = nullptr;
  const SegmentFiles* first = nullptr;
  for (const SegmentFiles& each : segments_) {
    if (!each.HasRecords()) continue;
    if (first == nullptr) first = &each;
    if (each.first <= record) found = &each;
  }
  if (first == nullptr) return Gone(record);
  if (found == nullptr) {
    open_.reset();
    if (before_ && before_->size() == first->first) return Ok();
    TW_ASSIGN(before_, ReadEdge(directory_.get(), first->first));
    return Ok();
  }
  if (open_ && open_->first == found->first) return Ok();
  const std::string name = SegmentFileName(found->first, kHashesSuffix);
  UniqueFd fd(
      ::openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return Gone(record);
  if (!fd) return ErrnoError(errno, "open " + Quoted(name));
  open_.emplace(Segment{.first = found->first, .hashes = std::move(fd)});
  return Ok();
}

}  // namespace tidewaiter::audit
