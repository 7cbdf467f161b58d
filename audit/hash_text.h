// Hashes as checkpoints and proofs write them: padded base64 of 32 bytes. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audit/tree_hash.h"

namespace tidewaiter::audit {

std::optional<Hash> HashFromBase64(std::string_view text);
std::string ToBase64(const Hash& hash);

}  // namespace tidewaiter::audit
