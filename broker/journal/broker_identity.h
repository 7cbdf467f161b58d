// Which broker this is: the random id that labels everything it creates, kept in the state folder
// so that the next process knows its own.
#pragma once

#include <string>

#include "base/result.h"
#include "base/strong_id.h"

namespace tidewaiter::journal {

// Reads STATE_DIR/broker_id, or makes one (0600, durable) where there is none; the folder too,
// where it is missing. FAILED_PRECONDITION where the file holds no id or others can write it: a new
// id would disown everything that the old one labelled, so it is never replaced.
Result<BrokerId> LoadOrCreateBrokerId(const std::string& state_dir);

}  // namespace tidewaiter::journal
