#include "broker/daemon/options.h"

#include <span>

#include "base/printable.h"

namespace tidewaiter::daemon {

const std::string_view kUsage =
    "usage: tidewaiterd --config FILE [--check]\n"
    "\n"
    "  --config FILE  the configuration, an absolute path\n"
    "  --check        checks configuration, policy, files and engine, and ends: 0 all well, 1 not\n"
    "  --version      prints the version\n"
    "  --help         prints this\n"
    "\n"
    "SIGTERM drains and stops; a second one stops runs at once. Each is torn down in either "
    "case.\n";

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  bool check = false;
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") return Options{Options::Action::kHelp, {}};
    if (argument == "--version") return Options{Options::Action::kVersion, {}};
    if (argument == "--check") {
      check = true;
    } else if (argument == "--config" && i + 1 < arguments.size()) {
      options.config_path = arguments[++i];
    } else if (argument.starts_with("--config=")) {
      options.config_path = argument.substr(std::string_view("--config=").size());
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "read the arguments: unexpected " + Quoted(argument));
    }
  }
  if (options.config_path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "read the arguments: --config FILE is missing");
  }
  if (check) options.action = Options::Action::kCheck;
  return options;
}

}  // namespace tidewaiter::daemon
