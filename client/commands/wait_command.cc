#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/commands/run_presenter.h"
#include "client/exit_status.h"
#include "client/rpc_failure.h"

namespace tidewaiter::cli {
namespace {

int Wait(const Invocation& invocation, const std::string& run_id, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitBrokerFailed);
  v1::WaitRequest request;
  request.set_run_id(run_id);
  // Without a deadline: the run has one.
  grpc::ClientContext context;
  v1::WaitResponse response;
  const grpc::Status status = connection->broker().Wait(&context, request, &response);
  if (!status.ok()) {
    return Complain(client::ReadFailure(status).error.Within("wait for run " + Quoted(run_id)),
                    client::kExitBrokerFailed);
  }
  const int exit_status = client::ExitStatusOf(response.result());
  if (json) return PrintLine(FullLine(response), exit_status);
  // What the result has to say besides the number, as `run` says it.
  RunPresenter presenter({.json = false, .quiet = false}, -1);
  v1::RunEvent event;
  *event.mutable_result() = response.result();
  static_cast<void>(presenter.Show(event));
  return exit_status;
}

}  // namespace

void AddWait(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app, {.name = "wait",
            .summary = "Wait for the end of a detached run",
            .arguments = "RUN_ID",
            .details = "Exit status: as 'run'; 125 where there is no such run, 2 usage.\n"
                       "JSON: the protobuf JSON of WaitResponse.\n"
                       "Example: tidewaiter wait 01hqz3v9k2m4n6p8r0s2t4v6w8"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    const std::vector<std::string> run_ids = Positionals(command, invocation);
    if (run_ids.size() != 1) ThrowUsage("wait needs one RUN_ID");
    invocation.action = [&invocation, run_id = run_ids[0], json] {
      return Wait(invocation, run_id, *json);
    };
  });
}

}  // namespace tidewaiter::cli
