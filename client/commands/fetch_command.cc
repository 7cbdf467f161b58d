#include <grpcpp/client_context.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/commands/output_folders.h"
#include "client/commands/run_presenter.h"
#include "client/exit_status.h"
#include "client/rpc_failure.h"
#include "extract/worker_process.h"

namespace tidewaiter::cli {
namespace {

// "NAME=PATH".
ArchiveFlag ParseFetch(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    ThrowUsage("fetch " + Quoted(text) + ": expected NAME=PATH");
  }
  return {.name = text.substr(0, equals), .path = text.substr(equals + 1), .target = {}};
}

// The end of the archive, once all of it has been taken.
Result<v1::OutputEnd> FetchOne(v1::Broker::Stub& broker, const std::string& run_id,
                               const std::string& name, OutputFolders& folders) {
  v1::FetchRequest request;
  request.set_run_id(run_id);
  request.set_output(name);
  grpc::ClientContext context;
  const auto stream = broker.Fetch(&context, request);
  v1::FetchResponse response;
  v1::OutputEnd end;
  Result<void> taken = Ok();
  while (taken && stream->Read(&response)) {
    v1::OutputPiece piece;
    piece.set_name(name);
    piece.set_data(std::move(*response.mutable_data()));
    if (response.has_end()) end = response.end();
    if (response.has_end()) *piece.mutable_end() = std::move(*response.mutable_end());
    taken = folders.Take(piece);
  }
  if (!taken) context.TryCancel();
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  if (!taken) return taken.error();
  if (status.ok()) return end;
  return client::ReadFailure(status).error.Within("fetch output " + Quoted(name) + " of run " +
                                                  Quoted(run_id));
}

// What was left behind, or all of it as a line.
void Show(const std::string& name, const v1::OutputEnd& end, bool json, RunPresenter& presenter) {
  if (json) {
    nlohmann::ordered_json line{{"output", name}};
    line.update(nlohmann::ordered_json::parse(FullLine(end)));
    static_cast<void>(PrintLine(JsonLine(line), client::kExitYes));
    return;
  }
  v1::RunEvent event;
  event.mutable_output_piece()->set_name(name);
  *event.mutable_output_piece()->mutable_end() = end;
  static_cast<void>(presenter.Show(event));
}

int Fetch(const Invocation& invocation, const std::string& run_id,
          const std::vector<ArchiveFlag>& outputs, bool json) {
  if (const auto ready = OutputFolders::Check(outputs); !ready) {
    return Complain(ready.error(), client::kExitUsage);
  }
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitNo);
  OutputFolders folders(outputs, extract::WorkerBesideThisProgram(), std::stop_token());
  RunPresenter presenter({.json = false, .quiet = false}, -1);
  int status = client::kExitYes;
  for (const ArchiveFlag& output : outputs) {
    const auto fetched = FetchOne(connection->broker(), run_id, output.name, folders);
    if (fetched) {
      Show(output.name, *fetched, json, presenter);
    } else {
      status = Complain(fetched.error(), client::kExitNo);
    }
  }
  return folders.complete() ? status : client::kExitNo;
}

}  // namespace

void AddFetch(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app,
      {.name = "fetch",
       .summary = "Take the outputs of a detached run that has ended",
       .arguments = "RUN_ID NAME=PATH...",
       .details = "NAME is a mount type=output of the run. PATH is absent or an empty folder, and\n"
                  "gets all of it or nothing. Fetching takes nothing away: it can be done again\n"
                  "until the broker's retention is over.\n"
                  "Exit status: 0 all there, 1 at least one not, 2 usage or PATH not empty.\n"
                  "JSON: a line for each output: its name, and what OutputEnd says.\n"
                  "Example: tidewaiter fetch 01hqz3v9k2m4n6p8r0s2t4v6w8 results=./results"});
  auto json = std::make_shared<bool>(false);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, *json);
  command.callback([&command, &invocation, json] {
    const std::vector<std::string> words = Positionals(command, invocation);
    if (words.size() < 2) ThrowUsage("fetch needs a RUN_ID and at least one NAME=PATH");
    std::vector<ArchiveFlag> outputs;
    for (std::size_t i = 1; i < words.size(); ++i) outputs.push_back(ParseFetch(words[i]));
    invocation.action = [&invocation, run_id = words[0], outputs, json] {
      return Fetch(invocation, run_id, outputs, *json);
    };
  });
}

}  // namespace tidewaiter::cli
