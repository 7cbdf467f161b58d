// A checkpoint that is believed: a signed note whose signature and origin are the log's own key's.
// Thread: any.
#pragma once

#include <string_view>

#include "audit/checkpoint.h"
#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// What the note `bytes` says. INVALID_ARGUMENT where it is no note, no checkpoint, of another log
// than the key's, or not signed by it.
Result<Checkpoint> ReadSignedCheckpoint(std::string_view bytes, const VerifierKey& key);

}  // namespace tidewaiter::audit
