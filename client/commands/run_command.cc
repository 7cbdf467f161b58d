#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/input_pump.h"
#include "client/commands/output_folders.h"
#include "client/commands/run_control.h"
#include "client/commands/run_flags.h"
#include "client/commands/run_presenter.h"
#include "client/commands/signal_watch.h"
#include "client/commands/stdin_pump.h"
#include "client/exit_status.h"
#include "extract/worker_process.h"
#include "wire/spec_json.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  RunFlags flags;
  RunDisplay display;
  std::string spec_file;
  bool interactive = false;
  bool detach = false;
  bool rm = true;
};

Result<v1::RunSpec> ReadSpec(const std::string& path) {
  if (path.empty()) return v1::RunSpec();
  TW_ASSIGN(const std::string content, ReadFile(path, wire::kMaxSpecJsonBytes));
  auto spec = wire::ParseSpecJson(content);
  if (spec) return *std::move(spec);
  std::string message = "read spec " + Quoted(path) + ": ";
  for (const policy::Violation& fault : spec.error().list) {
    if (message.back() != ' ') message += "\n  ";
    message +=
        (fault.field.empty() ? "" : fault.field + ": ") + fault.message + "; " + fault.remedy;
  }
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

// What goes up and what comes down beside the run itself.
struct Archives {
  std::vector<InputSource> inputs;
  std::vector<ArchiveFlag> outputs;
};

// What can be found wrong with them before the broker is asked.
Result<Archives> OpenArchives(const Options& options) {
  TW_ASSIGN(const std::vector<ArchiveFlag> inputs, options.flags.Inputs());
  Archives archives;
  TW_ASSIGN(archives.outputs, options.flags.Outputs());
  TW_ASSIGN(archives.inputs, OpenInputs(inputs));
  const bool stdin_taken = std::any_of(inputs.begin(), inputs.end(),
                                       [](const ArchiveFlag& flag) { return flag.path == "-"; });
  if (options.interactive && stdin_taken) {
    return Fail(ErrorCode::kInvalidArgument, "stdin is for -i or for one --input, not for both");
  }
  TW_TRY(OutputFolders::Check(archives.outputs));
  return archives;
}

// Shows events until the stream ends. The first output of the job that cannot be shown cancels the
// run; its error is returned once the run is over.
Result<void> ShowEvents(client::RunSession& session, RunPresenter& presenter, RunControl& control,
                        OutputFolders& folders) {
  Result<void> shown = Ok();
  while (const std::optional<v1::RunEvent> event = session.Next()) {
    if (!shown && event->has_output()) continue;
    auto result = presenter.Show(*event);
    if (!result && shown) {
      shown = std::move(result);
      control.CallOff();
    }
    // Where the policy has no limit to tell, the extractor's own holds.
    if (event->has_admitted() && presenter.output_bytes() > 0) {
      folders.SetMaxBytes(presenter.output_bytes());
    }
    if (!event->has_output_piece()) continue;
    if (const auto taken = folders.Take(event->output_piece()); !taken) {
      presenter.Warn(taken.error().message);
    }
  }
  return shown;
}

// The threads that send: inputs first, then stdin.
class Senders {
 public:
  Result<void> Start(std::vector<InputSource> inputs, bool with_stdin, client::RunSession& session,
                     RunPresenter& presenter, RunControl& control) {
    if (!inputs.empty()) {
      inputs_.emplace(
          std::move(inputs), session,
          InputPump::Events{.on_failure =
                                [this, &presenter, &control](const std::string& message) {
                                  failed_ = true;
                                  presenter.Warn(message);
                                  control.CallOff();
                                },
                            .on_progress =
                                [&presenter](const std::string& name, std::uint64_t bytes) {
                                  presenter.ShowTransfer("sending input " + Quoted(name), bytes);
                                }});
    }
    if (!with_stdin) return Ok();
    auto pump = StdinPump::Start(STDIN_FILENO, session, inputs_ ? inputs_->sent_fd() : -1);
    if (!pump) return pump.error();
    stdin_.emplace(*std::move(pump));
    return Ok();
  }
  // Once the session has finished. Whether an input could not be sent.
  bool Stop() {
    stdin_.reset();
    inputs_.reset();
    return failed_;
  }

 private:
  bool failed_ = false;  // written by the thread of inputs_
  std::optional<InputPump> inputs_;
  std::optional<StdinPump> stdin_;
};

int Run(const Invocation& invocation, const v1::RunSpec& spec, const Options& options,
        Archives archives) {
  RunControl control;
  // Before Connect: threads that gRPC starts inherit the blocked signals.
  auto signals = SignalWatch::Start([&control](int) { control.OnSignal(); });
  if (!signals) return Complain(signals.error(), client::kExitBrokerFailed);
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitBrokerFailed);

  OutputFolders folders(archives.outputs, extract::WorkerBesideThisProgram(),
                        control.abort_token());
  RunPresenter presenter(options.display, control.abort_fd());
  client::RunSession session(*connection, spec,
                             {.with_stdin = options.interactive, .detach = options.detach});
  control.Attach(session, presenter);
  Senders senders;
  if (const auto started = senders.Start(std::move(archives.inputs), options.interactive, session,
                                         presenter, control);
      !started) {
    session.Abort();
    return Complain(started.error(), client::kExitBrokerFailed);
  }
  const auto shown = ShowEvents(session, presenter, control, folders);
  const auto failure = session.Finish();
  // Last, so that whoever reads it knows that the run goes on by itself.
  if (options.detach && !options.display.json && !failure) {
    static_cast<void>(PrintLine(presenter.run_id(), client::kExitYes));
  }
  control.Detach();
  const bool input_failed = senders.Stop();

  if (control.step() == RunControl::Step::kAborted) return client::kExitCancelled;
  int status = client::kExitYes;
  if (failure) {
    static_cast<void>(presenter.ShowFailure(*failure));
    status = client::ExitStatusOf(failure->error);
  }
  if (presenter.exit_status()) status = *presenter.exit_status();
  if (input_failed) return client::kExitBrokerFailed;
  const bool reader_gone = !shown && shown.error().reason == "READER_GONE";
  if (!shown && !reader_gone) return Complain(shown.error(), client::kExitBrokerFailed);
  if (status != client::kExitYes || folders.complete()) return status;
  for (const std::string& name : folders.Missing()) {
    presenter.Warn(fmt::format("output {} has not come whole", Quoted(name)));
  }
  return client::kExitBrokerFailed;
}

constexpr char kDetails[] =
    "Options end at IMAGE: what follows is the container's command. The container's stdout and\n"
    "stderr come out apart; everything that it created is removed when it ends.\n"
    "--input fills a folder of the container before it starts: PATH is a folder, or a tar\n"
    "archive, plain or compressed; - reads one from stdin. --output fills PATH, which is absent\n"
    "or an empty folder, with what the job has left in a folder of its own: with all of it, or\n"
    "with nothing. TARGET begins with '/'; without one, the mount NAME is in the spec, by --spec\n"
    "or --mount type=input,source=NAME,target=/t.\n"
    "-d ends once the container has started: 'tidewaiter logs', 'wait' and 'fetch' take the run's\n"
    "id. Its log, outputs and result are kept for the broker's retention after its end. With an\n"
    "idempotencyKey in the spec, asking again gives the same run.\n"
    "Ctrl-C cancels the run and waits for its receipt; Ctrl-C again stops waiting.\n"
    "Exit status: the container's own; 124 timed out, 125 broker or engine failed, 126 or 127\n"
    "the command cannot be invoked or is not there, 77 denied by policy, 75 no capacity (try\n"
    "again), 130 cancelled, 2 usage.\n"
    "JSON: the protobuf JSON of RunEvent, output.data in base64; where the broker answers with\n"
    "an error, a last line {error: {code, reason, message}}. What an output holds is not in it.\n"
    "Example: tidewaiter run -i -m 512m registry.example/app:1.2.3@sha256:... sort < words";

}  // namespace

void AddRun(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(app, {.name = "run",
                                       .summary = "Run a container and wait for it",
                                       .arguments = "IMAGE [COMMAND ARG...]",
                                       .details = kDetails});
  command.prefix_command();
  auto options = std::make_shared<Options>();
  options->flags.Register(command);
  AddSocketOption(command, invocation);
  AddJsonFlag(command, options->display.json);
  command.add_flag("-q,--quiet", options->display.quiet, "Only the job's output, and errors");
  command.add_flag("-i,--interactive", options->interactive, "Forward stdin, its end too");
  command.add_flag("-d,--detach", options->detach,
                   "Print the run's id once it has started, and let it go on by itself");
  command.add_flag("--rm", options->rm, "Always so; taken for docker's sake");
  command.add_option("--spec", options->spec_file, "RunSpec as protobuf JSON; options override it")
      ->type_name("FILE");
  command.callback([&command, &invocation, options] {
    if (options->detach && options->interactive) ThrowUsage("-d has no stdin: not with -i");
    if (!options->rm) ThrowUsage("a run is always removed: --rm=false cannot be");
    auto spec = ReadSpec(options->spec_file);
    if (!spec) ThrowUsage(spec.error().message);
    const auto words = ImageAndCommand(command, invocation);
    const auto applied = options->flags.Apply(words, LookupEnvironment, *spec);
    if (!applied) ThrowUsage(applied.error().message);
    if (spec->image().empty()) ThrowUsage("run needs an IMAGE");
    invocation.action = [&invocation, spec = *std::move(spec), options] {
      auto archives = OpenArchives(*options);
      if (archives && options->detach && !archives->outputs.empty()) {
        return Complain(
            Fail(ErrorCode::kInvalidArgument,
                 "-d ends before the outputs are there: give the mount by --mount "
                 "type=output,source=NAME,target=/t, and take it by 'tidewaiter fetch'"),
            client::kExitUsage);
      }
      if (!archives) return Complain(archives.error(), client::kExitUsage);
      return Run(invocation, spec, *options, *std::move(archives));
    };
  });
}

}  // namespace tidewaiter::cli
