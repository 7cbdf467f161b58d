#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/commands/quantity_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

constexpr std::size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;

std::string StateName(v1::RunInfo::State state) {
  switch (state) {
    case v1::RunInfo::QUEUED: return "queued";
    case v1::RunInfo::PREPARING: return "preparing";
    case v1::RunInfo::RUNNING: return "running";
    case v1::RunInfo::TEARING_DOWN: return "tearing down";
    case v1::RunInfo::OVERDUE: return "overdue";
    default: return "unknown";
  }
}

std::string Age(const v1::RunInfo& run) {
  if (!run.has_admitted_at()) return "-";
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return FormatAge(now - std::chrono::seconds(run.admitted_at().seconds()));
}

Row ToRow(const v1::RunInfo& run) {
  return {client::TerminalSafe(run.run_id()), client::TerminalSafe(run.principal()),
          StateName(run.state()), Age(run), client::TerminalSafe(run.image())};
}

std::string Table(const v1::ListResponse& list, const client::Terminal& terminal) {
  std::vector<Row> rows = {{"RUN", "PRINCIPAL", "STATE", "AGE", "IMAGE"}};
  for (const v1::RunInfo& run : list.runs()) rows.push_back(ToRow(run));
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      widths[i] = std::max(widths[i], client::ColumnsOf(row[i]));
    }
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < kColumns; ++i) line += client::Fit(row[i], widths[i]) + "  ";
    line += row.back();
    // A digest is long: the whole reference is there in a pipe and with --json.
    const auto columns = static_cast<std::size_t>(terminal.columns());
    if (columns > 0 && client::ColumnsOf(line) > columns) line = client::Fit(line, columns);
    out += (&row == &rows.front() ? terminal.Paint(client::Style::kBold, line) : line) + '\n';
  }
  return out;
}

int Ps(const Invocation& invocation, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  const auto list =
      Call(connection->broker(), &v1::Broker::Stub::List, v1::ListRequest(), "list runs");
  if (!list) return Complain(list.error(), client::kExitNo);
  if (!json) return Print(Table(*list, client::Terminal::Of(1)), client::kExitYes);
  std::string out;
  for (const v1::RunInfo& run : list->runs()) out += FullLine(run) + '\n';
  return Print(out, client::kExitYes);
}

}  // namespace

void AddPs(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(app, {.name = "ps",
                                       .summary = "Runs that are not finished",
                                       .arguments = "",
                                       .details = "One's own; everyone's with the role operate.\n"
                                                  "JSON: the protobuf JSON of RunInfo.\n"
                                                  "Example: tidewaiter ps --json"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, json] { return Ps(invocation, *json); };
  });
}

}  // namespace tidewaiter::cli
