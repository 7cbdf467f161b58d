#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

Result<v1::DiagnoseResponse> AskBroker(const Invocation& invocation) {
  TW_ASSIGN(client::Connection connection, invocation.Connect());
  return Call(connection.broker(), &v1::Broker::Stub::Diagnose, v1::DiagnoseRequest(),
              "ask the broker");
}

int Version(const Invocation& invocation, bool json) {
  const auto broker = AskBroker(invocation);
  const int status = broker ? client::kExitYes : client::kExitNo;
  if (json) {
    nlohmann::ordered_json line{{"client", TIDEWAITER_VERSION}};
    if (broker) {
      line["broker"] = broker->version();
      line["brokerId"] = broker->broker_id();
    } else {
      line["error"] = broker.error().message;
    }
    return PrintLine(JsonLine(line), status);
  }
  std::string out = "client  " TIDEWAITER_VERSION "\n";
  if (broker) {
    out += fmt::format("broker  {} ({})\n", client::TerminalSafe(broker->version()),
                       client::TerminalSafe(broker->broker_id()));
  }
  const int printed = Print(out, status);
  return broker ? printed : Complain(broker.error(), status);
}

}  // namespace

void AddVersion(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app, {.name = "version",
            .summary = "Versions of this program and of the broker",
            .arguments = "",
            .details = "Exit status: 0, or 1 where the broker cannot be asked.\n"
                       "JSON: client, broker, brokerId; error where it cannot be asked.\n"
                       "Example: tidewaiter version"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    ForbidPositionals(command, invocation);
    invocation.action = [&invocation, json] { return Version(invocation, *json); };
  });
}

}  // namespace tidewaiter::cli
