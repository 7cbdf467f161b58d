// That a record is in the log: a text that anyone can check who has the log's public key and no
// copy of the log. The form of C2SP tlog-proof (https://c2sp.org/tlog-proof), with the record's
// line as its extra data. Reads hostile bytes. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/signing_key.h"
#include "audit/tree_proof.h"
#include "base/result.h"

namespace tidewaiter::audit {

// A line of the largest size in base64, a checkpoint, and the hashes.
inline constexpr std::size_t kMaxProofBytes = std::size_t{2} << 20U;

struct InclusionProof {
  std::string line;  // the record, without its line feed; empty where the proof comes without it
  std::uint64_t index = 0;
  Proof hashes = {};
  std::string checkpoint = {};  // a signed note

  // Errors: INVALID_ARGUMENT.
  static Result<InclusionProof> Parse(std::string_view bytes);
  [[nodiscard]] std::string ToString() const;

  // The checkpoint, where it is signed by `key` and covers `record` at this index. Errors:
  // INVALID_ARGUMENT, saying which of them does not hold.
  [[nodiscard]] Result<Checkpoint> Check(std::string_view record, const VerifierKey& key) const;
};

}  // namespace tidewaiter::audit
