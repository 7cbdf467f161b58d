#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/doctor_checks.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

constexpr char kDefaultConfig[] = "/etc/tidewaiter/tidewaiter.toml";

using State = CheckLine::State;

struct Options {
  bool json = false;
  std::string config;
};

std::string_view ToString(State state) noexcept {
  switch (state) {
    case State::kOk: return "OK";
    case State::kFail: return "FAIL";
    case State::kSkipped: return "SKIP";
  }
  return {};
}

void CheckBroker(const Invocation& invocation, std::vector<CheckLine>& lines) {
  auto connection = invocation.Connect();
  if (!connection) {
    lines.push_back({"broker", State::kFail, connection.error().message});
    return;
  }
  const auto answer = Call(connection->broker(), &v1::Broker::Stub::Diagnose, v1::DiagnoseRequest(),
                           "ask the broker");
  if (!answer) {
    lines.push_back({"broker", State::kFail, answer.error().message});
    return;
  }
  lines.push_back({"broker", State::kOk,
                   fmt::format("version {}, {} runs, {} queued", answer->version(),
                               answer->active_runs(), answer->queued_runs())});
  for (const v1::DiagnoseResponse::Check& check : answer->checks()) {
    lines.push_back(
        {"broker: " + check.name(), check.ok() ? State::kOk : State::kFail, check.detail()});
  }
}

std::vector<CheckLine> Examine(Invocation& invocation, const Options& options) {
  std::vector<CheckLine> lines;
  const std::string path = options.config.empty() ? kDefaultConfig : options.config;
  const auto config = CheckConfig(path, !options.config.empty(), lines);
  if (config) {
    CheckHost(path, *config, lines);
    // The configuration that was named says where its broker listens.
    if (invocation.socket.empty() && !options.config.empty()) invocation.socket = config->socket;
  }
  CheckSocket(invocation.SocketPath(), lines);
  CheckBroker(invocation, lines);
  return lines;
}

std::string ToText(const std::vector<CheckLine>& lines) {
  const client::Terminal terminal = client::Terminal::Of(STDOUT_FILENO);
  std::size_t width = 0;
  for (const CheckLine& line : lines) {
    width = std::max(width, client::ColumnsOf(client::TerminalSafe(line.name)));
  }
  std::string out;
  for (const CheckLine& line : lines) {
    const client::Style style = line.state == State::kOk     ? client::Style::kGreen
                                : line.state == State::kFail ? client::Style::kRed
                                                             : client::Style::kYellow;
    out += terminal.Paint(style, client::Fit(ToString(line.state), 4)) + "  " +
           client::Fit(client::TerminalSafe(line.name), width) + "  ";
    // A configuration file's errors come one a line.
    const std::size_t indent = 4 + 2 + width + 2;
    std::string_view rest = line.detail;
    do {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      out += client::Wrap(client::TerminalSafe(rest.substr(0, end)),
                          static_cast<std::size_t>(terminal.columns()), indent);
      out += '\n';
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!rest.empty()) out.append(indent, ' ');
    } while (!rest.empty());
  }
  return out;
}

int Doctor(Invocation& invocation, const Options& options) {
  const std::vector<CheckLine> lines = Examine(invocation, options);
  const bool well = std::none_of(lines.begin(), lines.end(),
                                 [](const CheckLine& line) { return line.state == State::kFail; });
  const int status = well ? client::kExitYes : client::kExitNo;
  if (!options.json) return Print(ToText(lines), status);
  std::string out;
  for (const CheckLine& line : lines) {
    out +=
        JsonLine({{"check", line.name}, {"state", ToString(line.state)}, {"detail", line.detail}}) +
        '\n';
  }
  return Print(out, status);
}

}  // namespace

void AddDoctor(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app, {.name = "doctor",
            .summary = "Whether the broker, its engine, files and folders are well",
            .arguments = "",
            .details = "Exit status: 0 all is well, 1 a check fails, 2 usage.\n"
                       "JSON: check, state (OK, FAIL, SKIP), detail.\n"
                       "Example: tidewaiter doctor --config /etc/tidewaiter/tidewaiter.toml"});
  auto options = std::make_shared<Options>();
  AddSocketOption(command, invocation);
  AddJsonFlag(command, options->json);
  command.add_option("--config", options->config, "The broker's configuration")->type_name("FILE");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, options] { return Doctor(invocation, *options); };
  });
}

}  // namespace tidewaiter::cli
