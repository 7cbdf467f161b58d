// `tidewaiterd --check`: would it start, and would it work? Changes nothing.
#pragma once

#include <ostream>
#include <string>

namespace tidewaiter::daemon {

// Prints a line per check, "ok" or "FAILED" first. True where all are well.
bool Check(const std::string& config_path, std::ostream& out);

}  // namespace tidewaiter::daemon
