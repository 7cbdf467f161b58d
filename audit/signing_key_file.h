// The key that signs the log, in the broker's state folder. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// Its name in the state folder.
inline constexpr char kSigningKeyName[] = "audit.key";

// The key in the folder `directory`; where there is none, one made for the log of `broker_id`,
// whose origin is "tidewaiter/BROKER_ID". Errors: those of LoadOrCreateKeyFile; FAILED_PRECONDITION
// (UNTRUSTED_KEY) where it is no key, or one of another broker's log.
Result<std::shared_ptr<const SigningKey>> LoadOrCreateSigningKey(const std::string& directory,
                                                                 const std::string& broker_id);

}  // namespace tidewaiter::audit
