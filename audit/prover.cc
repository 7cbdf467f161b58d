#include "audit/prover.h"

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/record_reader.h"
#include "audit/segment_edge.h"
#include "audit/segment_name.h"
#include "audit/signed_checkpoint.h"

namespace tidewaiter::audit {
namespace {

// Gives `builder` the first `size` records; each line to `see` as well.
Result<Proof> Build(UniqueFd directory, ProofBuilder builder, std::uint64_t size,
                    const std::function<void(std::uint64_t, std::string_view)>& see) {
  TW_ASSIGN(const std::vector<SegmentFiles> segments, ListSegments(directory.get()));
  std::uint64_t next = 0;
  for (const SegmentFiles& each : segments) {
    if (!each.HasRecords()) continue;
    next = each.first;
    break;
  }
  TW_ASSIGN(const CompactRange before, ReadEdge(directory.get(), next));
  const auto missing = [](std::uint64_t record) {
    return Fail(ErrorCode::kNotFound, fmt::format("make proof: record {} is not here", record));
  };
  if (next > size || !builder.Begin(before)) return missing(next - 1);
  RecordReader records(std::move(directory), next, {});
  TreeHasher hasher;
  while (next < size) {
    TW_ASSIGN(const std::optional<ReadRecord> record, records.Next());
    if (!record || !record->header || record->header->index != next) return missing(next);
    builder.Add(hasher, hasher.Leaf(record->line));
    see(next, record->line);
    ++next;
  }
  const auto proof = builder.Finish(hasher);
  if (!proof) return missing(next);
  return *proof;
}

Error NotThose(const std::string& cause) {
  return Fail(ErrorCode::kFailedPrecondition,
              "make proof: " + cause + "; 'tidewaiter audit verify' says what is wrong");
}

}  // namespace

Result<InclusionProof> ProveInclusion(UniqueFd directory, std::uint64_t index,
                                      const std::string& checkpoint, const VerifierKey& key) {
  TW_ASSIGN(const Checkpoint covering, ReadSignedCheckpoint(checkpoint, key));
  auto builder = ProofBuilder::Inclusion(index, covering.size);
  if (!builder) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("make proof: the checkpoint covers {} records, none of which is {}",
                            covering.size, index));
  }
  InclusionProof proof{.line = {}, .index = index, .hashes = {}, .checkpoint = checkpoint};
  TW_ASSIGN(proof.hashes, Build(std::move(directory), *std::move(builder), covering.size,
                                [&proof](std::uint64_t at, std::string_view line) {
                                  if (at == proof.index) proof.line = line;
                                }));
  if (!proof.Check(proof.line, key)) {
    return NotThose(fmt::format("the records here are not the {} that were signed", covering.size));
  }
  return proof;
}

Result<Proof> ProveConsistency(UniqueFd directory, const Checkpoint& older,
                               const Checkpoint& newer) {
  auto builder = ProofBuilder::Consistency(older.size, newer.size);
  if (!builder) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("make proof: the older checkpoint covers {} records, the newer {}",
                            older.size, newer.size));
  }
  TW_ASSIGN(Proof proof, Build(std::move(directory), *std::move(builder), newer.size,
                               [](std::uint64_t, std::string_view) {}));
  TreeHasher hasher;
  if (!IsConsistent(hasher, older.size, older.root, newer.size, newer.root, proof)) {
    return NotThose("the records here are not those of both checkpoints");
  }
  return proof;
}

}  // namespace tidewaiter::audit
