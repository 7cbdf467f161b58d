#include "client/commands/program.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

void Declare(CLI::App& app, Invocation& invocation) {
  DecorateHelp(app, "");
  app.require_subcommand(1);
  AddSocketOption(app, invocation);
  app.footer(
      "The broker's socket is --socket, else TIDEWAITER_SOCKET, else /run/tidewaiter/broker.sock.\n"
      "Example: tidewaiter run --memory 512m registry.example/app:1.2.3@sha256:... ls -l");
  AddRun(app, invocation);
  AddExplain(app, invocation);
  AddPs(app, invocation);
  AddCancel(app, invocation);
  AddLogs(app, invocation);
  AddWait(app, invocation);
  AddFetch(app, invocation);
  AddPolicy(app, invocation);
  AddImageParse(app, invocation);
  AddAudit(app, invocation);
  AddExtract(app, invocation);
  AddDoctor(app, invocation);
  AddVersion(app, invocation);
}

// The innermost command that was named, for "see ... --help".
const CLI::App& Innermost(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : Innermost(*named.front());
}

// What is wrong, where CLI11 would say "A subcommand is required" to a word that is none.
std::string Explanation(const CLI::App& innermost, const CLI::Error& error) {
  if (innermost.get_require_subcommand_min() == 0) return error.what();
  const std::vector<std::string> words = innermost.remaining();
  if (words.empty()) return error.get_name() == "RequiredError" ? "name a command" : error.what();
  const bool option = words.front().starts_with('-');
  return (option ? "unknown option " : "unknown command ") + Quoted(words.front());
}

}  // namespace

int RunProgram(std::vector<std::string> arguments) {
  Invocation invocation;
  CLI::App app("Runs containers through the broker that guards the container engine.",
               "tidewaiter");
  Declare(app, invocation);
  if (const auto mark = std::find(arguments.begin(), arguments.end(), "--");
      mark != arguments.end()) {
    invocation.has_mark = true;
    invocation.after_mark.assign(mark + 1, arguments.end());
    arguments.erase(mark, arguments.end());
  }
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return Print(Innermost(app).help(), client::kExitYes);
  } catch (const CLI::Error& error) {
    const CLI::App& innermost = Innermost(app);
    Complain(Explanation(innermost, error));
    Complain("see '" + FullName(innermost) + " --help'");
    return client::kExitUsage;
  }
  return invocation.action();
}

}  // namespace tidewaiter::cli
