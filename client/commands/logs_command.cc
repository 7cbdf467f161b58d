#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/run_presenter.h"
#include "client/exit_status.h"
#include "client/rpc_failure.h"

namespace tidewaiter::cli {
namespace {

int ShowLogs(const Invocation& invocation, const std::string& run_id, bool follow, bool json) {
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  v1::AttachRequest request;
  request.set_run_id(run_id);
  request.set_snapshot(!follow);
  grpc::ClientContext context;
  const auto stream = connection->broker().Attach(&context, request);
  RunPresenter presenter({.json = json, .quiet = true}, -1);
  v1::RunEvent event;
  while (stream->Read(&event)) {
    const bool of_output = event.has_output() || event.has_truncated();
    if (!json && !of_output) continue;
    if (const auto shown = presenter.Show(event); !shown) {
      context.TryCancel();
      // A reader that has seen enough, as head(1).
      if (shown.error().reason == "READER_GONE") return client::kExitYes;
      return Complain(shown.error(), client::kExitNo);
    }
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) return client::kExitYes;
  return Complain(client::ReadFailure(status).error.Within("read the log of run " + Quoted(run_id)),
                  client::kExitNo);
}

}  // namespace

void AddLogs(CLI::App& app, Invocation& invocation) {
  CLI::App& command =
      AddCommand(app, {.name = "logs",
                       .summary = "Show the output of a detached run",
                       .arguments = "RUN_ID",
                       .details = "Its stdout and stderr come out apart, as the run wrote them.\n"
                                  "Exit status: 0 shown, 1 no such run, 2 usage.\n"
                                  "JSON: the protobuf JSON of RunEvent, output.data in base64.\n"
                                  "Example: tidewaiter logs -f 01hqz3v9k2m4n6p8r0s2t4v6w8"});
  auto json = std::make_shared<bool>(false);
  auto follow = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.add_flag("-f,--follow", *follow, "Go on until the run has ended");
  command.callback([&command, &invocation, json, follow] {
    const std::vector<std::string> run_ids = Positionals(command, invocation);
    if (run_ids.size() != 1) ThrowUsage("logs needs one RUN_ID");
    invocation.action = [&invocation, run_id = run_ids[0], follow, json] {
      return ShowLogs(invocation, run_id, *follow, *json);
    };
  });
}

}  // namespace tidewaiter::cli
