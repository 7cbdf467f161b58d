#include "client/commands/invocation.h"

#include <unistd.h>

#include <CLI/Error.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/printable.h"
#include "client/commands/files.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

// CLI11 names only the positionals that it parses itself.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string arguments) : arguments_(std::move(arguments)) {
    column_width(34);
    label("OPTIONS", "OPTION...");
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_usage(const CLI::App* app, std::string /*name*/) const override {
    std::string usage = CLI::Formatter::make_usage(app, FullName(*app));
    while (usage.ends_with('\n')) usage.pop_back();
    if (!arguments_.empty()) usage += ' ' + arguments_;
    return usage + '\n';
  }

 private:
  std::string arguments_;
};

void RefuseOption(const std::string& word) {
  if (word.size() > 1 && word.front() == '-') ThrowUsage("unknown option " + Quoted(word));
}

}  // namespace

std::string Invocation::SocketPath() const {
  if (!socket.empty()) return socket;
  const char* variable = std::getenv("TIDEWAITER_SOCKET");
  return variable != nullptr && *variable != '\0' ? variable : client::kDefaultSocket;
}

Result<client::Connection> Invocation::Connect() const {
  return client::Connection::Open(SocketPath(), Deadline::After(std::chrono::seconds(10)));
}

std::string FullName(const CLI::App& app) {
  if (app.get_parent() == nullptr) return app.get_name();
  return FullName(*app.get_parent()) + ' ' + app.get_name();
}

void DecorateHelp(CLI::App& app, const std::string& arguments) {
  app.formatter(std::make_shared<HelpFormatter>(arguments));
}

CLI::App& AddCommand(CLI::App& parent, const CommandHelp& help) {
  CLI::App& command = *parent.add_subcommand(help.name, help.summary);
  DecorateHelp(command, help.arguments);
  command.footer(help.details);
  command.group("Commands");
  command.allow_extras();
  return command;
}

void AddSocketOption(CLI::App& command, Invocation& invocation) {
  command.add_option("--socket", invocation.socket, "The broker's socket (else TIDEWAITER_SOCKET)")
      ->type_name("PATH");
}

void AddJsonFlag(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "One JSON object per line");
}

std::vector<std::string> Positionals(const CLI::App& command, const Invocation& invocation) {
  std::vector<std::string> words = command.remaining();
  std::for_each(words.begin(), words.end(), RefuseOption);
  words.insert(words.end(), invocation.after_mark.begin(), invocation.after_mark.end());
  return words;
}

std::vector<std::string> ImageAndCommand(const CLI::App& command, const Invocation& invocation) {
  std::vector<std::string> words = command.remaining();
  if (!words.empty()) {
    RefuseOption(words.front());
    if (invocation.has_mark) words.emplace_back("--");
  }
  words.insert(words.end(), invocation.after_mark.begin(), invocation.after_mark.end());
  return words;
}

void ForbidPositionals(const CLI::App& command, const Invocation& invocation) {
  const std::vector<std::string> words = Positionals(command, invocation);
  if (!words.empty()) ThrowUsage("unexpected argument " + Quoted(words.front()));
}

void ThrowUsage(const std::string& message) {
  throw CLI::ParseError(message, client::kExitUsage);
}

int Print(std::string_view text, int status) {
  const auto written = WriteAll(STDOUT_FILENO, text);
  return written ? status : Complain(written.error(), client::kExitNo);
}

int PrintLine(std::string_view text, int status) {
  return Print(std::string(text).append("\n"), status);
}

void Complain(std::string_view message) {
  const client::Terminal terminal = client::Terminal::Of(STDERR_FILENO);
  std::string out;
  do {
    const std::size_t end = std::min(message.find('\n'), message.size());
    out += terminal.Paint(client::Style::kBold, "tidewaiter:") + ' ';
    out += client::TerminalSafe(message.substr(0, end)) + '\n';
    message.remove_prefix(std::min(end + 1, message.size()));
  } while (!message.empty());
  // There is nowhere left to say that stderr cannot be written.
  static_cast<void>(WriteAll(STDERR_FILENO, out));
}

int Complain(const Error& error, int status) {
  Complain(error.message);
  return status;
}

}  // namespace tidewaiter::cli
