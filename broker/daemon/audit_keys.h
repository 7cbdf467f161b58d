// The secrets of the audit log in the broker's state folder.
#pragma once

#include <string>

#include "audit/hash_key.h"
#include "base/log.h"
#include "base/result.h"

namespace tidewaiter::daemon {

// STATE_DIR/audit-hash.key. Made on the first start, which `log` is told: older hashes cannot be
// looked up under a new key. For the holder of the state folder's lock. Errors: those of
// audit::LoadOrCreateKeyFile and audit::HashKey, FAILED_PRECONDITION where the file cannot be
// believed.
Result<audit::HashKey> LoadOrCreateHashKey(const std::string& state_dir, Log& log);

// What a start would find there, for `--check`. Changes nothing.
Result<std::string> DescribeHashKey(const std::string& state_dir);

}  // namespace tidewaiter::daemon
