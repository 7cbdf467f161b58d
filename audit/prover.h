// Makes proofs out of a log's folder, or a copy of one: reads every line up to the tree's end once,
// in constant memory, and trusts none of the hashes beside them. Offline. Thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "audit/checkpoint.h"
#include "audit/inclusion_proof.h"
#include "audit/signing_key.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

// That record `index` is in the log that `checkpoint` (a signed note by `key`) is of. Errors:
// INVALID_ARGUMENT where the checkpoint does not cover it or is not the key's; NOT_FOUND where
// records are missing; FAILED_PRECONDITION where they are not those that the checkpoint is of;
// else errno's.
Result<InclusionProof> ProveInclusion(UniqueFd directory, std::uint64_t index,
                                      const std::string& checkpoint, const VerifierKey& key);

// That the log of `newer` begins with all of the log of `older`. Errors likewise.
Result<Proof> ProveConsistency(UniqueFd directory, const Checkpoint& older,
                               const Checkpoint& newer);

}  // namespace tidewaiter::audit
