#include <CLI/App.hpp>
#include <string>

#include "client/commands/commands.h"

namespace tidewaiter::cli {
namespace {

void AddLater(CLI::App& parent, const std::string& name) {
  CLI::App& command = *parent.add_subcommand(name);
  command.group("");  // hidden
  command.set_help_flag();
  command.prefix_command();
  command.callback(
      [&command] { ThrowUsage("'" + FullName(command) + "' is not in this version"); });
}

}  // namespace

void AddLaterCommands(CLI::App& app) {
  AddLater(*app.get_subcommand("audit"), "verify");
}

}  // namespace tidewaiter::cli
