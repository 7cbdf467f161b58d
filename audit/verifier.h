// Verifies a copy of a log: every line against the tree, the tree against every checkpoint, the
// checkpoints against the key. Trusts nothing in the folder. Offline, streaming, in constant
// memory. docs/AUDIT.md has what it does, so that anyone can write another.
#pragma once

#include <string>
#include <vector>

#include "audit/signing_key.h"
#include "audit/verdict.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::audit {

struct OutsideCheckpoint {
  std::string name;   // for messages
  std::string bytes;  // a signed note
};

struct VerifyOptions {
  // The log's key, from elsewhere than its folder.
  VerifierKey key;
  // Checkpoints that were kept elsewhere: the log must go on from each.
  std::vector<OutsideCheckpoint> checkpoints = {};
};

// Errors: errno's, where the folder or a file in it cannot be read. Whatever is wrong with what it
// holds is a fault.
Result<Verdict> VerifyLog(UniqueFd directory, const VerifyOptions& options);

}  // namespace tidewaiter::audit
