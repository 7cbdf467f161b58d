// As whom the broker runs: whose files it trusts besides root's. Asks the user database only.
// Thread: any.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace tidewaiter::cli {

// `text` is a name or a uid. Empty: the account `tidewaiter`, as installed, or this process' own
// user where the host has none, as in a trial. NOT_FOUND for a name that nobody has.
Result<uid_t> FindBrokerUser(const std::string& text);

}  // namespace tidewaiter::cli
