// Proofs out of the hashes that are stored beside a log's lines: some reads each, whatever the
// log's size. The hashes are not trusted: a proof that they make wrongly does not hold. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "audit/compact_range.h"
#include "audit/segment_name.h"
#include "audit/tree_proof.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

class StoredTree {
 public:
  explicit StoredTree(UniqueFd directory) : directory_(std::move(directory)) {}

  // What `builder` wants. NOT_FOUND where records that it is about have been removed, or hashes are
  // missing; else errno's.
  Result<Proof> Prove(const ProofBuilder& builder);

 private:
  struct Segment {
    std::uint64_t first = 0;
    UniqueFd hashes;
  };
  Result<Hash> RangeRoot(std::uint64_t begin, std::uint64_t end);
  Result<Hash> SubtreeRoot(unsigned level, std::uint64_t number);
  Result<Hash> ReadRoot(unsigned level, std::uint64_t number);
  Result<void> OpenSegmentOf(std::uint64_t record);

  UniqueFd directory_;
  TreeHasher hasher_;
  std::vector<SegmentFiles> segments_;  // as they were listed last
  std::optional<Segment> open_;         // the one that was read last
  std::optional<CompactRange> before_;  // the tree before the first segment, where that is read
};

}  // namespace tidewaiter::audit
