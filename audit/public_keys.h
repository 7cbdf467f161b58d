// The file `key.pub` of a log's folder: the public keys that have signed it, the newest first, a
// line each. It is a hint, since whoever may write the folder can write it. Thread: any.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// More than one a day, for as long as records are kept.
inline constexpr std::size_t kMaxPublicKeys = 1024;
inline constexpr std::size_t kMaxPublicKeyFileBytes = std::size_t{512} << 10U;

// The keys in `text`, each once, the first kMaxPublicKeys of them. Lines that are none are passed
// over.
std::vector<VerifierKey> ReadPublicKeys(std::string_view text);

// Those of the folder `directory` (borrowed), as its owner reads them: none where there is no such
// file. Errors: ReadOwnFile's.
Result<std::vector<VerifierKey>> LoadPublicKeys(int directory);

}  // namespace tidewaiter::audit
