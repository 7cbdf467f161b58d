// What every command of the program shares: how it is declared, where it prints, how it reaches the
// broker.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/connection.h"
#include "client/terminal.h"

namespace tidewaiter::cli {

// The command that was named on the command line, filled in while it is parsed.
struct Invocation {
  std::string socket;  // --socket; empty: not given
  // The words after the first "--", which CLI11 would else hand to the command's parents.
  bool has_mark = false;
  std::vector<std::string> after_mark;
  // Does the work and returns the exit status. Set by the one command that was named.
  std::function<int()> action;

  // --socket, else TIDEWAITER_SOCKET, else the default.
  [[nodiscard]] std::string SocketPath() const;
  // Waits up to 10 s.
  [[nodiscard]] Result<client::Connection> Connect() const;
};

// How a command appears in --help.
struct CommandHelp {
  std::string name;
  std::string summary;
  std::string arguments;  // "IMAGE [COMMAND ARG...]"; empty: none
  std::string details;    // paragraphs that end in one line "Example: tidewaiter ..."
};

// Adds a command below `parent`. Words that are no option stay apart (see Positionals).
CLI::App& AddCommand(CLI::App& parent, const CommandHelp& help);
// The form of --help that all have; `arguments` as in CommandHelp.
void DecorateHelp(CLI::App& app, const std::string& arguments);
// "tidewaiter policy check".
std::string FullName(const CLI::App& app);

void AddSocketOption(CLI::App& command, Invocation& invocation);
void AddJsonFlag(CLI::App& command, bool& json);

// The words that were no option, in order and byte for byte (CLI11's own positionals would take
// "[a,b]" for a list); all words after "--" are such. An option that does not exist is a usage
// error.
std::vector<std::string> Positionals(const CLI::App& command, const Invocation& invocation);

// The same for `run`, where options end at the first such word, and a "--" behind it is the job's.
std::vector<std::string> ImageAndCommand(const CLI::App& command, const Invocation& invocation);

// A usage error where there is any word.
void ForbidPositionals(const CLI::App& command, const Invocation& invocation);

// A usage error that only the command itself can see.
[[noreturn]] void ThrowUsage(const std::string& message);

// `text` and a line feed to stdout; `status`, or kExitNo where that cannot be written.
int PrintLine(std::string_view text, int status);
// `text` as it is to stdout.
int Print(std::string_view text, int status);

// "tidewaiter: MESSAGE" on stderr, one line per line of the message, safe for a terminal.
void Complain(std::string_view message);
int Complain(const Error& error, int status);

}  // namespace tidewaiter::cli
