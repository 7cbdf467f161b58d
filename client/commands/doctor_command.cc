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

constexpr char kForeign[] = "foreign";
constexpr char kDefaultConfig[] = "/etc/tidewaiter/tidewaiter.toml";

using State = CheckLine::State;

struct Options {
  bool json = false;
  bool leaks = false;
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

Result<v1::LeakReport> AskForLeaks(const Invocation& invocation) {
  TW_ASSIGN(auto connection, invocation.Connect());
  v1::DiagnoseRequest request;
  request.set_leaks(true);
  TW_ASSIGN(v1::DiagnoseResponse answer, Call(connection.broker(), &v1::Broker::Stub::Diagnose,
                                              request, "look for what was left behind"));
  // An older broker passes over the question.
  if (!answer.has_leak_report()) {
    return Fail(ErrorCode::kUnimplemented,
                "look for what was left behind: broker " + answer.version() + " cannot");
  }
  return std::move(*answer.mutable_leak_report());
}

std::string ToText(const v1::LeakReport& report) {
  std::vector<CheckLine> lines;
  for (const v1::Leak& leak : report.leaks()) {
    // Another broker's things are no fault of this one.
    const State state = leak.kind() == kForeign ? State::kSkipped : State::kFail;
    std::string detail = leak.where();
    if (!leak.id().empty()) detail += " " + leak.id();
    if (!leak.run_id().empty()) detail += ", run " + leak.run_id();
    lines.push_back({leak.kind(), state, detail + ": " + leak.cause()});
  }
  if (lines.empty()) {
    lines.push_back({"leaks", State::kOk, "nothing: engine, journal and disk agree"});
  }
  std::string out = ToText(lines);
  const auto shown = static_cast<std::uint64_t>(report.leaks_size());
  if (report.found() > shown) out += fmt::format("... and {} more\n", report.found() - shown);
  return out;
}

int FindLeaks(Invocation& invocation, const Options& options) {
  if (invocation.socket.empty() && !options.config.empty()) {
    std::vector<CheckLine> lines;
    const auto config = CheckConfig(options.config, true, lines);
    if (!config) return Print(ToText(lines), client::kExitNo);
    invocation.socket = config->socket;
  }
  const Result<v1::LeakReport> report = AskForLeaks(invocation);
  if (!report) return Complain(report.error(), client::kExitNo);
  const bool well = std::all_of(report->leaks().begin(), report->leaks().end(),
                                [](const v1::Leak& leak) { return leak.kind() == kForeign; });
  const int status = well ? client::kExitYes : client::kExitNo;
  if (!options.json) return Print(ToText(*report), status);
  std::string out;
  for (const v1::Leak& leak : report->leaks()) {
    out += JsonLine({{"kind", leak.kind()},
                     {"id", leak.id()},
                     {"run_id", leak.run_id()},
                     {"where", leak.where()},
                     {"cause", leak.cause()}}) +
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
                       "With --leaks: what engine, run directories and known runs do not agree on, "
                       "and why; what other brokers have is listed and is no fault. Needs the role "
                       "`operate`. JSON: kind, id, run_id, where, cause.\n"
                       "Example: tidewaiter doctor --config /etc/tidewaiter/tidewaiter.toml"});
  auto options = std::make_shared<Options>();
  AddSocketOption(command, invocation);
  AddJsonFlag(command, options->json);
  command.add_flag("--leaks", options->leaks,
                   "Only compare engine, journal and disk, and list every difference");
  command.add_option("--config", options->config, "The broker's configuration")->type_name("FILE");
  command.callback([&command, &invocation, options] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, options] {
      return options->leaks ? FindLeaks(invocation, *options) : Doctor(invocation, *options);
    };
  });
}

}  // namespace tidewaiter::cli
