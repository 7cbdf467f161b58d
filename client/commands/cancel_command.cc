#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/printable.h"
#include "client/commands/call.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"

namespace tidewaiter::cli {
namespace {

int Cancel(const Invocation& invocation, const std::vector<std::string>& run_ids, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  int status = client::kExitYes;
  for (const std::string& run_id : run_ids) {
    v1::CancelRequest request;
    request.set_run_id(run_id);
    const auto cancelled = Call(connection->broker(), &v1::Broker::Stub::Cancel, request,
                                "cancel run " + Quoted(run_id));
    if (!cancelled) status = client::kExitNo;
    int printed = status;
    if (json) {
      nlohmann::ordered_json line{{"runId", run_id}, {"cancelled", cancelled.has_value()}};
      if (!cancelled) line["error"] = cancelled.error().message;
      if (!cancelled) line["reason"] = cancelled.error().Reason();
      printed = PrintLine(JsonLine(line), status);
    } else if (cancelled) {
      printed = PrintLine(run_id, status);
    } else {
      Complain(cancelled.error().message);
    }
    if (printed != status) return printed;
  }
  return status;
}

}  // namespace

void AddCancel(CLI::App& app, Invocation& invocation) {
  CLI::App& command =
      AddCommand(app, {.name = "cancel",
                       .summary = "Stop runs and remove what they created",
                       .arguments = "RUN_ID...",
                       .details = "Prints the id of each run whose cancelling has begun.\n"
                                  "Exit status: 0 all, 1 at least one not, 2 usage.\n"
                                  "JSON: runId, cancelled; error and reason where it is not.\n"
                                  "Example: tidewaiter cancel 01hqz3v9k2m4n6p8r0s2t4v6w8"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    const std::vector<std::string> run_ids = Positionals(command, invocation);
    if (run_ids.empty()) ThrowUsage("cancel needs a RUN_ID");
    invocation.action = [&invocation, run_ids, json] { return Cancel(invocation, run_ids, *json); };
  });
}

}  // namespace tidewaiter::cli
