#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "client/commands/commands.h"
#include "client/commands/files.h"
#include "client/commands/run_control.h"
#include "client/commands/run_flags.h"
#include "client/commands/run_presenter.h"
#include "client/commands/signal_watch.h"
#include "client/commands/stdin_pump.h"
#include "client/exit_status.h"
#include "wire/spec_json.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  RunFlags flags;
  RunDisplay display;
  std::string spec_file;
  bool interactive = false;
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

// Shows events until the stream ends. The first output that cannot be shown cancels the run; its
// error is returned once the run is over.
Result<void> ShowEvents(client::RunSession& session, RunPresenter& presenter, RunControl& control) {
  Result<void> shown = Ok();
  while (const std::optional<v1::RunEvent> event = session.Next()) {
    if (!shown && event->has_output()) continue;
    auto result = presenter.Show(*event);
    if (result || !shown) continue;
    shown = std::move(result);
    control.OnReaderGone();
  }
  return shown;
}

int Run(const Invocation& invocation, const v1::RunSpec& spec, const Options& options) {
  RunControl control;
  // Before Connect: threads that gRPC starts inherit the blocked signals.
  auto signals = SignalWatch::Start([&control](int) { control.OnSignal(); });
  if (!signals) return Complain(signals.error(), client::kExitBrokerFailed);
  auto connection = invocation.Connect();
  if (!connection) return Complain(connection.error(), client::kExitBrokerFailed);

  client::RunSession session(*connection, spec, options.interactive);
  RunPresenter presenter(options.display, control.abort_fd());
  control.Attach(session, presenter);
  std::optional<StdinPump> pump;
  if (options.interactive) {
    auto started = StdinPump::Start(STDIN_FILENO, session);
    if (!started) return Complain(started.error(), client::kExitBrokerFailed);
    pump.emplace(*std::move(started));
  }
  const auto shown = ShowEvents(session, presenter, control);
  const auto failure = session.Finish();
  control.Detach();
  pump.reset();

  if (control.step() == RunControl::Step::kAborted) return client::kExitCancelled;
  int status = client::kExitYes;
  if (failure) {
    static_cast<void>(presenter.ShowFailure(*failure));
    status = client::ExitStatusOf(failure->error);
  }
  if (presenter.exit_status()) status = *presenter.exit_status();
  const bool reader_gone = !shown && shown.error().reason == "READER_GONE";
  if (!shown && !reader_gone) return Complain(shown.error(), client::kExitBrokerFailed);
  return status;
}

constexpr char kDetails[] =
    "Options end at IMAGE: what follows is the container's command. The container's stdout and\n"
    "stderr come out apart; everything that it created is removed when it ends.\n"
    "Ctrl-C cancels the run and waits for its receipt; Ctrl-C again stops waiting.\n"
    "Exit status: the container's own; 124 timed out, 125 broker or engine failed, 126 or 127\n"
    "the command cannot be invoked or is not there, 77 denied by policy, 75 no capacity (try\n"
    "again), 130 cancelled, 2 usage.\n"
    "JSON: the protobuf JSON of RunEvent, output.data in base64; where the broker answers with\n"
    "an error, a last line {error: {code, reason, message}}.\n"
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
  command.add_flag("--rm", options->rm, "Always so; taken for docker's sake");
  command.add_option("--spec", options->spec_file, "RunSpec as protobuf JSON; options override it")
      ->type_name("FILE");
  command.callback([&command, &invocation, options] {
    if (!options->rm) ThrowUsage("a run is always removed: --rm=false cannot be");
    auto spec = ReadSpec(options->spec_file);
    if (!spec) ThrowUsage(spec.error().message);
    const auto words = ImageAndCommand(command, invocation);
    const auto applied = options->flags.Apply(words, LookupEnvironment, *spec);
    if (!applied) ThrowUsage(applied.error().message);
    if (spec->image().empty()) ThrowUsage("run needs an IMAGE");
    invocation.action = [&invocation, spec = *std::move(spec), options] {
      return Run(invocation, spec, *options);
    };
  });
}

}  // namespace tidewaiter::cli
