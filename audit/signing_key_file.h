// The key that signs the log, in the broker's state folder, and the one that is to follow it.
// Thread: any; one that writes at a time (the holder of the folder's lock).
//
// A hand-over can be cut short anywhere: until the successor has the key's name on disk, the key is
// the key, and whatever it signs meanwhile the successor signs, too (LogStore::HandOver).
#pragma once

#include <memory>
#include <string>

#include "audit/signing_key.h"
#include "base/result.h"

namespace tidewaiter::audit {

// Its name in the state folder.
inline constexpr char kSigningKeyName[] = "audit.key";
// The successor's, from before the log tells of it until it has the key's name.
inline constexpr char kNextSigningKeyName[] = "audit.key.next";

struct SigningKeys {
  std::shared_ptr<const SigningKey> key;
  // Of a hand-over that was begun and has not come to its end. Null: there is none.
  std::shared_ptr<const SigningKey> successor;
};

// The keys in the folder `directory`; where there is no key, one made for the log of `broker_id`,
// whose origin is "tidewaiter/BROKER_ID". Errors: those of LoadOrCreateKeyFile; FAILED_PRECONDITION
// (UNTRUSTED_KEY) where one is no key, or of another broker's log, or both are one, or there is a
// successor alone.
Result<SigningKeys> LoadOrCreateSigningKeys(const std::string& directory,
                                            const std::string& broker_id);

// The successor in the folder; where there is none, a new one. Errors: as above.
Result<std::shared_ptr<const SigningKey>> LoadOrCreateSuccessor(const std::string& directory,
                                                                const std::string& broker_id);

// Gives the successor the key's name, on disk; nothing where it has that. FAILED_PRECONDITION where
// neither file is `successor`; else errno's, and the key may or may not have been replaced then.
Result<void> PromoteSuccessor(const std::string& directory, const SigningKey& successor);

}  // namespace tidewaiter::audit
