// The daemon's command line.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::daemon {

struct Options {
  enum class Action { kServe, kCheck, kVersion, kHelp };
  Action action = Action::kServe;
  std::string config_path;
};

extern const std::string_view kUsage;

// Errors: INVALID_ARGUMENT for what is no option, and where --config is missing.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace tidewaiter::daemon
